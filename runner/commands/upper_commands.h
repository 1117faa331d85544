// The commands of sectile-compute.
#pragma once

namespace sectile {

void train(int count, char** words);
void evaluate(int count, char** words);
void predict(int count, char** words);
void check(int count, char** words);
void doctor(int count, char** words);
void weights(int count, char** words);
void preview(int count, char** words);  // data preview

}  // namespace sectile
