/* A driver's libnvidia-ml.so.1 for tests: as much of the documented ABI as bench asks, played from a script.
 *
 * FAKE_NVML names the script. A line is `[GPU.]KEY VALUE`; GPUs count from 0. Keys of the driver:
 *   hang 1 (no call to nvmlInit returns) · count 2 · init 18 (the error of nvmlInit) · driver 570.86.15 · cuda 12080 · began 1234.5 (CLOCK_MONOTONIC of second 0)
 * Keys of a GPU:
 *   name, uuid, major, minor, mig 1, persistence 0, ecc_mode 1, compute_mode 3, slowdown (°C), max_sm_clock (MHz),
 *   power_limit, default_power_limit (mW), links 12 (NVLinks that are up; two GPUs that have some reach each other)
 *   cpus 0-31 (of its NUMA node) · near 1:10 2:50 (the topology level to each GPU with a higher number)
 *   parent 0, gi 2, ci 0: this is a MIG device of GPU 0, and is not counted; GPUs come first, then MIG devices
 *   nvlink_tx, nvlink_rx (KiB since the start): curves
 *   memory, memory_total (bytes), power (mW), energy (mJ), sm_clock, mem_clock (MHz), temperature, util, mem_util, reasons,
 *   ecc, pcie_tx, pcie_rx (KB/s): a curve of `second:value` points, straight in between and level outside; a lone value
 *   is a level one; `reasons` steps. Without a line for it `energy` is the integral of `power`.
 *   process PID:BYTES (several lines; BYTES -1 is "not available")
 *   error.KEY 3: asking for KEY ends with that code · lost 12.5: from that second on every call ends with 15
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POINTS 64
#define GPUS 16
enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, SIZE = 7, LOST = 15 };

typedef struct { int count; double at[POINTS], value[POINTS]; } Curve;
typedef struct { unsigned pid; unsigned long long bytes; unsigned instance, compute; } Process;

static const char *KEYS[] = {"memory", "memory_total", "power", "energy", "sm_clock", "mem_clock", "temperature", "util",
                             "mem_util", "reasons", "ecc", "pcie_tx", "pcie_rx", "persistence", "mig", "process", "ecc_mode", "compute_mode",
                             "slowdown", "max_sm_clock", "power_limit", "default_power_limit", "links", "nvlink_tx",
                             "nvlink_rx", "near", "handle", "capability"};
enum { MEMORY, TOTAL, POWER, ENERGY, SM_CLOCK, MEM_CLOCK, TEMPERATURE, UTIL, MEM_UTIL, REASONS, ECC, PCIE_TX, PCIE_RX,
       PERSISTENCE, MIG, PROCESS, ECC_MODE, COMPUTE_MODE, SLOWDOWN, MAX_SM_CLOCK, POWER_LIMIT, DEFAULT_POWER_LIMIT, LINKS,
       NVLINK_TX, NVLINK_RX, NEAR, HANDLE, CAPABILITY, COUNT };

static struct Gpu {
    char name[96], uuid[80];
    int major, minor, error[COUNT], processes, parent, gi, ci, first_cpu, last_cpu;
    double lost;
    Curve curve[COUNT];
    Process process[8];
} gpus[GPUS];
static unsigned gpu_count;
static int init_error, hangs, cuda;
static double began;
static char driver[80] = "570.86.15";

static int key_of(const char *name) {
    for (int key = 0; key < COUNT; key++) if (!strcmp(KEYS[key], name)) return key;
    return -1;
}

static void read_curve(Curve *curve, char *text) {
    curve->count = 0;
    for (char *word = strtok(text, " \n"); word && curve->count < POINTS; word = strtok(0, " \n")) {
        char *colon = strchr(word, ':');
        curve->at[curve->count] = colon ? atof(word) : 0;
        curve->value[curve->count++] = atof(colon ? colon + 1 : word);
    }
}

static void read_gpu(struct Gpu *gpu, const char *key, char *value) {
    int which = key_of(strncmp(key, "error.", 6) ? key : key + 6);
    if (!strcmp(key, "name")) snprintf(gpu->name, sizeof gpu->name, "%s", value);
    else if (!strcmp(key, "uuid")) snprintf(gpu->uuid, sizeof gpu->uuid, "%s", value);
    else if (!strcmp(key, "major")) gpu->major = atoi(value);
    else if (!strcmp(key, "minor")) gpu->minor = atoi(value);
    else if (!strcmp(key, "parent")) gpu->parent = atoi(value);
    else if (!strcmp(key, "gi")) gpu->gi = atoi(value);
    else if (!strcmp(key, "ci")) gpu->ci = atoi(value);
    else if (!strcmp(key, "cpus")) sscanf(value, "%d-%d", &gpu->first_cpu, &gpu->last_cpu);
    else if (!strcmp(key, "lost")) gpu->lost = atof(value);
    else if (which < 0) { fprintf(stderr, "fake NVML: unknown key %s\n", key); abort(); }
    else if (!strncmp(key, "error.", 6)) gpu->error[which] = atoi(value);
    else if (which == PROCESS && gpu->processes < 8) {
        Process *process = &gpu->process[gpu->processes++];
        process->pid = (unsigned)atol(value);
        process->bytes = (unsigned long long)atoll(strchr(value, ':') + 1);
        process->instance = process->compute = 0xFFFFFFFF;
    } else read_curve(&gpu->curve[which], value);
}

static void read_script(void) {
    const char *path = getenv("FAKE_NVML");
    FILE *script = path ? fopen(path, "r") : 0;
    char line[4096];
    gpu_count = 0;
    memset(gpus, 0, sizeof gpus);
    for (int index = 0; index < GPUS; index++) {
        gpus[index].major = 9;
        gpus[index].lost = gpus[index].parent = gpus[index].last_cpu = -1;
        snprintf(gpus[index].uuid, sizeof gpus[index].uuid, "GPU-%c0000000-0000", 'a' + index);
    }
    while (script && fgets(line, sizeof line, script)) {
        char *key = strtok(line, " "), *value = strtok(0, "\n");
        if (!key || !value) continue;
        if (!strcmp(key, "count")) gpu_count = (unsigned)atoi(value);
        else if (!strcmp(key, "hang")) hangs = atoi(value);
        else if (!strcmp(key, "init")) init_error = atoi(value);
        else if (!strcmp(key, "driver")) snprintf(driver, sizeof driver, "%s", value);
        else if (!strcmp(key, "cuda")) cuda = atoi(value);
        else if (!strcmp(key, "began")) began = atof(value);
        else read_gpu(&gpus[atoi(key)], strchr(key, '.') + 1, value);
    }
    if (script) fclose(script);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec - began;
}

static double value_at(const Curve *curve, double second, int steps) {
    int next = 0;
    while (next < curve->count && curve->at[next] <= second) next++;
    if (next == 0) return curve->value[0];
    if (next == curve->count || steps) return curve->value[next - 1];
    double share = (second - curve->at[next - 1]) / (curve->at[next] - curve->at[next - 1]);
    return curve->value[next - 1] + share * (curve->value[next] - curve->value[next - 1]);
}

static double integral(const Curve *curve, double second) {
    double sum = 0, at = 0, value = value_at(curve, 0, 0);
    for (int point = 0; point < curve->count && curve->at[point] < second; point++) {
        if (curve->at[point] <= at) continue;
        sum += (curve->at[point] - at) * (value + curve->value[point]) / 2;
        at = curve->at[point];
        value = curve->value[point];
    }
    return sum + (second - at) * (value + value_at(curve, second, 0)) / 2;
}

static int ask(void *handle, int key, double *value) {
    struct Gpu *gpu = handle;
    double second = now();
    if (gpu->lost >= 0 && second >= gpu->lost) return LOST;
    if (gpu->error[key]) return gpu->error[key];
    if (key == ENERGY && !gpu->curve[ENERGY].count && gpu->curve[POWER].count) {
        *value = integral(&gpu->curve[POWER], second);
        return OK;
    }
    if (!gpu->curve[key].count) return UNSUPPORTED;
    *value = value_at(&gpu->curve[key], second, key == REASONS);
    return OK;
}

static int ask_unsigned(void *handle, int key, unsigned *answer) {
    double value = 0;
    int code = ask(handle, key, &value);
    if (code == OK) *answer = (unsigned)value;
    return code;
}

static int text(char *to, unsigned length, const char *from) {
    if (strlen(from) >= length) return SIZE;
    strcpy(to, from);
    return OK;
}

static int alive(void *handle) {
    struct Gpu *gpu = handle;
    return gpu->lost >= 0 && now() >= gpu->lost ? LOST : OK;
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; read_script(); while (hangs) sleep(60); return init_error; }
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) {
    return code == 18 ? "Driver/library version mismatch" : code == LOST ? "GPU is lost" : "Fake error";
}
int nvmlSystemGetDriverVersion(char *version, unsigned length) { return text(version, length, driver); }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = cuda; return cuda ? OK : UNSUPPORTED; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = gpu_count; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (index >= gpu_count) return INVALID;
    *handle = &gpus[index];
    return gpus[index].error[HANDLE] ? gpus[index].error[HANDLE] : alive(*handle);
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    for (unsigned index = 0; index < GPUS; index++)
        if ((index < gpu_count || gpus[index].parent >= 0) && !strcmp(gpus[index].uuid, uuid)) {
            *handle = &gpus[index];
            return alive(*handle);
        }
    return NOT_FOUND;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    *count = ((struct Gpu *)handle)->curve[MIG].count ? 7 : 0;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **device) {
    for (unsigned place = 0; place < GPUS; place++)
        if (gpus[place].parent >= 0 && &gpus[gpus[place].parent] == handle && index-- == 0) {
            *device = &gpus[place];
            return alive(handle);
        }
    return NOT_FOUND;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *device, void **handle) {
    if (((struct Gpu *)device)->parent < 0) return INVALID;
    *handle = &gpus[((struct Gpu *)device)->parent];
    return OK;
}
int nvmlDeviceGetGpuInstanceId(void *handle, unsigned *id) {
    *id = (unsigned)((struct Gpu *)handle)->gi;
    return ((struct Gpu *)handle)->parent < 0 ? INVALID : OK;
}
int nvmlDeviceGetComputeInstanceId(void *handle, unsigned *id) {
    *id = (unsigned)((struct Gpu *)handle)->ci;
    return ((struct Gpu *)handle)->parent < 0 ? INVALID : OK;
}
int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    return alive(handle) ? LOST : text(name, length, ((struct Gpu *)handle)->name);
}
int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) { return text(uuid, length, ((struct Gpu *)handle)->uuid); }
int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    struct Gpu *gpu = handle;
    *major = gpu->major;
    *minor = gpu->minor;
    return gpu->parent < 0 ? gpu->error[CAPABILITY] : UNSUPPORTED;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long memory[3]) { /* total, free, used */
    double used = 0, total = 0;
    int code = ask(handle, MEMORY, &used);
    if (code == OK) code = ask(handle, TOTAL, &total);
    if (code != OK) return code;
    memory[0] = (unsigned long long)total;
    memory[1] = (unsigned long long)(total - used);
    memory[2] = (unsigned long long)used;
    return OK;
}
int nvmlDeviceGetUtilizationRates(void *handle, unsigned rates[2]) {
    int code = ask_unsigned(handle, UTIL, &rates[0]);
    rates[1] = 0;
    if (code == OK) ask_unsigned(handle, MEM_UTIL, &rates[1]);
    return code;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) { return ask_unsigned(handle, POWER, milliwatts); }
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    double value = 0;
    int code = ask(handle, ENERGY, &value);
    if (code == OK) *millijoules = (unsigned long long)value;
    return code;
}
int nvmlDeviceGetClockInfo(void *handle, int kind, unsigned *mhz) { /* 1 is SM, 2 is memory */
    return kind == 1 ? ask_unsigned(handle, SM_CLOCK, mhz) : kind == 2 ? ask_unsigned(handle, MEM_CLOCK, mhz) : INVALID;
}
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *celsius) {
    return sensor ? INVALID : ask_unsigned(handle, TEMPERATURE, celsius);
}
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *reasons) {
    double value = 0;
    int code = ask(handle, REASONS, &value);
    if (code == OK) *reasons = (unsigned long long)value;
    return code;
}
int nvmlDeviceGetTotalEccErrors(void *handle, int kind, int counter, unsigned long long *errors) {
    double value = 0;
    int code = ask(handle, ECC, &value);
    if (code == OK) *errors = kind == 1 && counter == 0 ? (unsigned long long)value : 0; /* uncorrected, volatile */
    return code;
}
int nvmlDeviceGetPcieThroughput(void *handle, int counter, unsigned *kilobytes) {
    struct timespec watched = {0, 20000000};
    nanosleep(&watched, 0);
    return ask_unsigned(handle, counter ? PCIE_RX : PCIE_TX, kilobytes);
}
int nvmlDeviceGetPersistenceMode(void *handle, unsigned *mode) { return ask_unsigned(handle, PERSISTENCE, mode); }
int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    int code = ask_unsigned(handle, MIG, current);
    if (code == OK) *pending = *current;
    return code;
}
int nvmlDeviceGetEccMode(void *handle, unsigned *current, unsigned *pending) {
    int code = ask_unsigned(handle, ECC_MODE, current);
    if (code == OK) *pending = *current;
    return code;
}
int nvmlDeviceGetComputeMode(void *handle, unsigned *mode) { return ask_unsigned(handle, COMPUTE_MODE, mode); }
int nvmlDeviceGetMaxClockInfo(void *handle, int kind, unsigned *mhz) {
    return kind == 1 ? ask_unsigned(handle, MAX_SM_CLOCK, mhz) : INVALID;
}
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *milliwatts) {
    return ask_unsigned(handle, POWER_LIMIT, milliwatts);
}
int nvmlDeviceGetPowerManagementDefaultLimit(void *handle, unsigned *milliwatts) {
    return ask_unsigned(handle, DEFAULT_POWER_LIMIT, milliwatts);
}
int nvmlDeviceGetTemperatureThreshold(void *handle, int kind, unsigned *celsius) {
    return kind == 1 ? ask_unsigned(handle, SLOWDOWN, celsius) : INVALID;
}
int nvmlDeviceGetCpuAffinity(void *handle, unsigned size, unsigned long *words) {
    struct Gpu *gpu = handle;
    if (gpu->last_cpu < 0) return UNSUPPORTED;
    memset(words, 0, size * sizeof *words);
    for (int cpu = gpu->first_cpu; cpu <= gpu->last_cpu; cpu++) words[cpu / 64] |= 1UL << cpu % 64;
    return OK;
}
int nvmlDeviceGetNvLinkState(void *handle, unsigned link, unsigned *active) {
    unsigned links = 0;
    int code = ask_unsigned(handle, LINKS, &links);
    *active = link < links;
    return code;
}
int nvmlDeviceGetP2PStatus(void *one, void *other, int kind, unsigned *status) {
    struct Gpu *first = one, *second = other;
    *status = kind == 2 && first->curve[LINKS].count && second->curve[LINKS].count ? 0 : 5; /* 2 is NVLink */
    return OK;
}
int nvmlDeviceGetTopologyCommonAncestor(void *one, void *other, unsigned *level) {
    Curve *near = &((struct Gpu *)one)->curve[NEAR];
    for (int place = 0; place < near->count; place++)
        if (&gpus[(int)near->at[place]] == other) { *level = (unsigned)near->value[place]; return OK; }
    return UNSUPPORTED;
}
typedef struct {
    unsigned field, scope;
    long long timestamp, latency;
    unsigned type, code;
    unsigned long long value;
} FieldValue;
int nvmlDeviceGetFieldValues(void *handle, int count, FieldValue *values) {
    for (int place = 0; place < count; place++) { /* of all links together and nothing else */
        int key = values[place].field == 138 ? NVLINK_TX : values[place].field == 139 ? NVLINK_RX : -1;
        double value = 0;
        values[place].code = (unsigned)(key < 0 || values[place].scope != ~0U ? INVALID : ask(handle, key, &value));
        values[place].type = 3; /* unsigned long long */
        values[place].value = (unsigned long long)value;
    }
    return OK;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, Process *processes) {
    struct Gpu *gpu = handle;
    unsigned room = *count;
    if (alive(handle)) return LOST;
    if (gpu->error[PROCESS]) return gpu->error[PROCESS];
    *count = (unsigned)gpu->processes;
    if (room < *count) return SIZE;
    memcpy(processes, gpu->process, (size_t)gpu->processes * sizeof *processes);
    return OK;
}
