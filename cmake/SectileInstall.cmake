# cmake --install: a relocatable tree of the same shape as the build tree. LibTorch stays where it is.
