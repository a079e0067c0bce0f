/* As much of NVML's documented ABI as finding GPUs needs; FAKE_NVML_GPUS holds their names, comma-separated. */
#include <stdlib.h>
#include <string.h>

static const char *names(void) { const char *all = getenv("FAKE_NVML_GPUS"); return all ? all : ""; }

int nvmlInitWithFlags(unsigned flags) { (void)flags; return getenv("FAKE_NVML_INIT") ? atoi(getenv("FAKE_NVML_INIT")) : 0; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int code) { return code == 18 ? "Driver/library version mismatch" : "Fake error"; }

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    strncpy(version, "570.86.15", length);
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = *names() != 0;
    for (const char *at = names(); *at; at++) *count += *at == ',';
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(size_t)(index + 1);
    return 0;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    const char *from = names();
    for (size_t left = (size_t)handle - 1; left; left--) from = strchr(from, ',') + 1;
    size_t size = strcspn(from, ",");
    if (size >= length) return 7; /* NVML_ERROR_INSUFFICIENT_SIZE */
    memcpy(name, from, size);
    name[size] = 0;
    return 0;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) {
    strncpy(uuid, "GPU-a0000000-0000", length);
    uuid[4] = (char)('a' + (size_t)handle - 1);
    return 0;
}

int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    (void)handle;
    *major = getenv("FAKE_NVML_MAJOR") ? atoi(getenv("FAKE_NVML_MAJOR")) : 9;
    *minor = 0;
    return 0;
}
