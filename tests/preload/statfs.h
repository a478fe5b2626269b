/* Answers statfs(2) for the process. The daemon makes that call itself, not by the C library, so it
 * cannot be stood in front of: the kernel is asked to send a signal instead, whose handler
 * answers. */
#pragma once
#include <stdint.h>

/* From now on free space is what `free_bytes` says, less one; 0 is the truth. Returns 0 if it can
 * be done. */
int answer_statfs(_Atomic uint64_t *free_bytes);
