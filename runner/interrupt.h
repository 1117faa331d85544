// Ctrl-C and SIGTERM as a question that a long command asks now and then.
#pragma once

namespace sectile {

// From now on the first one only sets a flag, and says so; the second one ends the program at once, with code 130.
void catch_interrupts();
bool interrupted();

}  // namespace sectile
