// What Deno cannot do without, in the command: where it is missing there would be a crash report in its words.
#ifndef DVISOR_REQUIREMENTS_H
#define DVISOR_REQUIREMENTS_H

// Ends the process with a line on stderr when a limit is too low, an argument is not UTF-8, or there is no
// current directory to name.
void check_requirements(long argc, char **argv);
#endif
