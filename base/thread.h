/* SPDX-License-Identifier: MIT
 *
 * Private to base/: how its threads start.
 */
#ifndef BITFADER_BASE_THREAD_H
#define BITFADER_BASE_THREAD_H

#include <pthread.h>

/* Signals are the business of the main thread (and of whoever waits in it): ours start with all of them blocked. 0, or
 * pthread_create's error. */
int thread_start(pthread_t *id, void *(*run)(void *), void *arg);

#endif
