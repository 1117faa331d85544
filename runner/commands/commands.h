// The commands of the ground floor, one file each. words: the arguments of the program; words[1] is the command.
#pragma once

namespace sectile {

void list(int count, char** words);
void describe(int count, char** words);
void schema(int count, char** words);
void data(int count, char** words);               // data check and data stats
void weights_catalogue(int count, char** words);  // weights list and weights get

}  // namespace sectile
