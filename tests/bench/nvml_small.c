/* Another libnvidia-ml.so.1: two GPUs, and of the documented ABI only what the names below say. */
#include <stdio.h>

static int answer(char *text, unsigned length, const char *format, void *device) {
    return snprintf(text, length, format, (int)(long)device - 1) >= (int)length ? 7 : 0;
}
int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    *device = (void *)(long)(index + 1);
    return index < 2 ? 0 : 2;
}
int nvmlDeviceGetName(void *device, char *name, unsigned length) { return answer(name, length, "Small %d", device); }
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) { return answer(uuid, length, "GPU-%d", device); }
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3]) {
    (void)device;
    memory[0] = 3000, memory[1] = 2000, memory[2] = 1000;
    return 0;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) { *milliwatts = 70000; return (void)device, 0; }
