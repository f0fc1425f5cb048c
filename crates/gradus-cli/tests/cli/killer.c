/*
 * Loaded into a command under test (LD_PRELOAD): ends its process at the GRADUS_KILL_AT-th call
 * that changes the disk, as a loss of power would, a write after its first half.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

/* Whether the process is to end at this call. */
static int now(void) {
    static atomic_long at = -1;
    if (at < 0) {
        const char *text = getenv("GRADUS_KILL_AT");
        at = text ? atol(text) : 0;
    }
    return ++calls == at;
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Streams of the process itself, pipes and sockets are no matter of the disk. */
static int a_file(int fd) {
    struct stat about;
    return fd > 2 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t length) {
    if (a_file(fd) && now()) {
        REAL(write)(fd, bytes, length / 2);
        die();
    }
    return REAL(write)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (a_file(fd) && now()) {
        REAL(writev)(fd, parts, count / 2);
        die();
    }
    return REAL(writev)(fd, parts, count);
}

#define BEFORE(kind, name, parameters, arguments) \
    kind name parameters {                        \
        if (now()) die();                         \
        return REAL(name) arguments;              \
    }

BEFORE(ssize_t, pwrite64, (int fd, const void *bytes, size_t length, off64_t at),
       (fd, bytes, length, at))
BEFORE(int, ftruncate64, (int fd, off64_t length), (fd, length))
BEFORE(int, fsync, (int fd), (fd))
BEFORE(int, fdatasync, (int fd), (fd))
BEFORE(int, rename, (const char *from, const char *to), (from, to))
BEFORE(int, unlink, (const char *path), (path))
BEFORE(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
BEFORE(int, rmdir, (const char *path), (path))
BEFORE(int, mkdir, (const char *path, mode_t mode), (path, mode))
