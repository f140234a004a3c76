# 32-bit ARM boards, ARMv7 with hardware floating point.
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(architecture armhf)
set(triple arm-linux-gnueabihf)
set(emulator qemu-arm)
set(CMAKE_CXX_FLAGS_INIT -Wno-psabi)  # g++ tells of a change in its version 7: all of ours is younger
include(${CMAKE_CURRENT_LIST_DIR}/debian.cmake)
