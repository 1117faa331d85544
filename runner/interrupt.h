// Polling for Ctrl-C, SIGTERM, a closed terminal (SIGHUP) and a closed pipe (SIGPIPE) in long commands.
#pragma once

namespace sectile {

// From now on the first one only sets a flag and prints a message; the second one exits immediately with code 130,
// except for closed pipes. Signals that are ignored, as by nohup, stay ignored.
void catch_interrupts();
bool interrupted();

}  // namespace sectile
