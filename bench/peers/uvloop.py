"""uvloop.py: the programs of asyncio.py, on uvloop's loop.
SPDX-License-Identifier: MIT

uvloop is the loop that asyncio's experts put under it: written in Cython, on
libuv. asyncio.py is the program; called by this name it takes that loop. Its
clock is its own, so that timers, on virtual time, make no sense here.

     build: cp bench/peers/asyncio.py $OUT && chmod +x $OUT
     packages: python3 python3-uvloop
     version: /usr/bin/python3 -I -c 'import uvloop; print("uvloop", uvloop.__version__)'
"""
