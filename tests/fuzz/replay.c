/* Runs a fuzz target over files, and over every file of folders: the ordinary tests' way through a corpus. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int files;

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(1 << 22);

    if (!file || !data) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    size_t size = fread(data, 1, 1 << 22, file);
    fclose(file);
    /* Exactly as large as the input, so that a sanitizer sees the first byte read beyond it. */
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    files++;
    return 0;
}

static void replay(const char *path)
{
    struct stat status;
    char below[4096];
    DIR *folder;

    if (stat(path, &status) < 0) {
        printf("not there, left out: %s\n", path);
        return;
    }
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        replay(below);
    }
    if (folder)
        closedir(folder);
}

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++)
        replay(paths[i]);
    printf("%d inputs replayed\n", files);
    return files > 0 ? 0 : 1;
}
