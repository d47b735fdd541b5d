# The allocations of the program's own code go through the test, which makes one of them fail.
target_link_options(test_out_of_memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=tsearch)
