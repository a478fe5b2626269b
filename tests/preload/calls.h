/* Stands before statfs(2) and renameat2(2). The programs make these calls themselves, not by the C
 * library, so they cannot be stood in front of there: the kernel is asked to send a signal instead,
 * whose handler answers. */
#pragma once
#include <stdint.h>

/* The sixth argument of the library's own calls, by which the kernel lets them through. */
#define OWN 0x46757369L

/* Gives a file or folder another name, as renameat2(2): 0, or -1 with errno. */
typedef int (*renaming)(int from_folder, const char *from, int to_folder, const char *to,
                        unsigned flags);

/* From now on free space is what `free_bytes` says, less one, where 0 is the truth; and names
 * are changed by `rename_as`. Returns 0 if it can be done. */
int answer_calls(_Atomic uint64_t *free_bytes, renaming rename_as);
