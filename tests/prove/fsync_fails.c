/* Loaded before the C library: fsync and fdatasync fail with EIO while the file $PROVE_SLOT/fsync-fails exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int failing(void)
{
    const char *slot = getenv("PROVE_SLOT");
    char path[PATH_MAX];
    int kept = errno, found;

    if (slot == NULL || snprintf(path, sizeof path, "%s/fsync-fails", slot) >= (int)sizeof path)
        return 0;
    found = access(path, F_OK) == 0;
    errno = kept;
    return found;
}

int fsync(int fd)
{
    if (failing()) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
    if (failing()) {
        errno = EIO;
        return -1;
    }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
