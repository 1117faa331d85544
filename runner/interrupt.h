// Polling for Ctrl-C and SIGTERM in long commands.
#pragma once

namespace sectile {

// From now on the first one only sets a flag and prints a message; the second one exits immediately with code 130.
void catch_interrupts();
bool interrupted();

}  // namespace sectile
