/* station.cpp: the station, the same as on every board, compiled as C++.
 * SPDX-License-Identifier: MIT
 */
#define ASYNC_SHORT_NAMES 1
#include <async_loop.h> /* so that the library is found */

#include <examples/firmware/station.c>
