// A library like any other, with the name of a plugin.
extern "C" int sectile_answer() { return 42; }
