// A library that stands in for NVIDIA's driver: memory is the processor's, kernels run by emulation. Built and
// used by tests alone. Modules are known by the first line of their text.
//
// What is queued is done when somebody waits for it, no sooner, so that whoever reads without waiting, or writes what
// is still to be read, finds other bits.
#include "emulate.h"
#include "../kernels/common.cuh"
#include <deque>
#include <set>

#define HALF 0
namespace elementwise_f32 {
#include "../kernels/elementwise.cu"
}
namespace norm_f32 {
#include "../kernels/norm.cu"
}
namespace rows_f32 {
#include "../kernels/rows.cu"
}
namespace scores_f32 {
#include "../kernels/scores.cu"
}
namespace attention_f32 {
#include "../kernels/attention.cu"
}
namespace products_f32 {
#include "../kernels/products.cu"
}
namespace optimizer {
#include "../kernels/optimizer.cu"
}
#undef HALF
#define HALF 1
namespace elementwise_bf16 {
#include "../kernels/elementwise.cu"
}
namespace norm_bf16 {
#include "../kernels/norm.cu"
}
namespace rows_bf16 {
#include "../kernels/rows.cu"
}
namespace scores_bf16 {
#include "../kernels/scores.cu"
}
namespace attention_bf16 {
#include "../kernels/attention.cu"
}
#undef BM
#undef BN
#undef BK
namespace products_bf16 {
#include "../kernels/products.cu"
}
#undef PIECE
#define WIDTH 384
namespace norm_wide_384 {
#include "../kernels/norm_wide.cu"
}
#undef WIDTH
#define WIDTH 768
namespace norm_wide_768 {
#include "../kernels/norm_wide.cu"
}
#undef WIDTH
#define WIDTH 512
namespace norm_wide_512 {
#include "../kernels/norm_wide.cu"
}
#undef WIDTH
#define WIDTH 1024
namespace norm_wide_1024 {
#include "../kernels/norm_wide.cu"
}
#define SIZE 32
namespace attention_mma_32 {
#include "../kernels/attention_mma.cu"
}
#undef SIZE
#define SIZE 64
namespace attention_mma_64 {
#include "../kernels/attention_mma.cu"
}

namespace {
typedef std::map<std::string, emulation::Launch> Kernels;
#define MEETS(space, name) {#name, emulation::launcher(space::name, false)}
#define ALONE(space, name) {#name, emulation::launcher(space::name, true)}
#define ELEMENTWISE(s) \
    ALONE(s, add), ALONE(s, activation), ALONE(s, activation_backward), ALONE(s, activation_again), ALONE(s, gated), ALONE(s, gated_backward), \
        ALONE(s, drop), ALONE(s, rotary)
#define NORM(s) MEETS(s, norm_forward), MEETS(s, norm_backward), ALONE(s, norm_sums), ALONE(s, column_sums)
#define ROWS(s) \
    ALONE(s, embed), ALONE(s, sum_rows), ALONE(s, gather), ALONE(s, scatter), ALONE(s, subtract), ALONE(s, spread), \
        ALONE(s, pool), ALONE(s, pool_backward)
#define SCORES(s) MEETS(s, cross_entropy), MEETS(s, normalize), MEETS(s, normalize_backward)
#define ATTENTION(s) \
    MEETS(s, attention_forward), MEETS(s, attention_delta), MEETS(s, attention_backward_q), \
        MEETS(s, attention_backward_kv), MEETS(s, attention_backward_bias)
#define MMA(s) MEETS(s, attention_forward), MEETS(s, attention_backward_q), MEETS(s, attention_backward_kv)
#define WIDE(s) MEETS(s, wide_norm_forward), MEETS(s, wide_norm_backward)
std::map<std::string, Kernels>& modules() {
    static std::map<std::string, Kernels> all = {
        {"elementwise.f32",
         {ELEMENTWISE(elementwise_f32), ALONE(elementwise_f32, narrow), ALONE(elementwise_f32, approach),
          ALONE(elementwise_f32, logits), ALONE(elementwise_f32, leave_out),
          ALONE(elementwise_f32, pick_bias), ALONE(elementwise_f32, pick_bias_backward)}},
        {"elementwise.bf16", {ELEMENTWISE(elementwise_bf16), ALONE(elementwise_bf16, widen),
          ALONE(elementwise_bf16, activation_again_summed)}},
        {"norm.f32", {NORM(norm_f32), MEETS(norm_f32, add_pieces)}},
        {"norm.bf16", {NORM(norm_bf16)}},
        {"rows.f32", {ROWS(rows_f32), ALONE(rows_f32, sum_pieces)}},
        {"rows.bf16", {ROWS(rows_bf16)}},
        {"scores.f32", {SCORES(scores_f32)}},
        {"scores.bf16", {SCORES(scores_bf16)}},
        {"attention.f32", {ATTENTION(attention_f32)}},
        {"attention.bf16", {ATTENTION(attention_bf16)}},
        {"products.f32", {MEETS(products_f32, product)}},
        {"products.bf16", {MEETS(products_bf16, product)}},
        {"optimizer", {ALONE(optimizer, adamw), MEETS(optimizer, squares), MEETS(optimizer, root), ALONE(optimizer, joint_root),
                       ALONE(optimizer, clear_ranges), ALONE(optimizer, clear_rows), MEETS(optimizer, find_rows), ALONE(optimizer, join_rows)}},
        {"norm_wide.384", {WIDE(norm_wide_384)}},
        {"norm_wide.512", {WIDE(norm_wide_512)}},
        {"norm_wide.1024", {WIDE(norm_wide_1024)}},
        {"norm_wide.768", {WIDE(norm_wide_768)}},
        {"attention_mma.32", {MMA(attention_mma_32)}},
        {"attention_mma.64", {MMA(attention_mma_64)}},
    };
    return all;
}
std::mutex one_at_a_time;
typedef std::vector<emulation::Job> Graph;
struct Stream {
    std::mutex at_work;
    std::deque<emulation::Job> work;
    size_t queued = 0, done = 0;
    // What is queued goes there, while there is one.
    Graph* recording = nullptr;
};
struct Event {
    Stream* stream = nullptr;
    size_t place = 0;
};
std::set<Stream*> streams;

int queue(void* stream, emulation::Job job) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    auto own = (Stream*)stream;
    if (own->recording) return own->recording->push_back(std::move(job)), 0;
    own->work.push_back(std::move(job));
    own->queued++;
    return 0;
}
// Does what was queued first, up to a place.
void work_off(Stream* stream, size_t place) {
    std::lock_guard<std::mutex> working(stream->at_work);
    for (;;) {
        emulation::Job job;
        {
            std::lock_guard<std::mutex> lock(one_at_a_time);
            if (stream->done >= place || stream->work.empty()) return;
            job = std::move(stream->work.front());
            stream->work.pop_front();
        }
        job();
        std::lock_guard<std::mutex> lock(one_at_a_time);
        stream->done++;
    }
}
size_t all_of(Stream* stream) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    return stream->queued;
}
void work_all_off() {
    std::set<Stream*> all;
    {
        std::lock_guard<std::mutex> lock(one_at_a_time);
        all = streams;
    }
    for (auto stream : all) work_off(stream, all_of(stream));
}
// What is still free of the memory that GRADUS_EMULATED_MEMORY gives the card.
size_t total_memory() {
    const char* own = getenv("GRADUS_EMULATED_MEMORY");
    return own ? strtoull(own, nullptr, 10) : (size_t)16 << 30;
}
std::map<void*, size_t> memory;
size_t used;
} // namespace

#define API extern "C" int
API cuInit(unsigned) { return 0; }
API cuDriverGetVersion(int* version) { return *version = 12000, 0; }
API cuDeviceGetCount(int* count) { return *count = 1, 0; }
API cuDeviceGet(int* device, int index) { return *device = index, index == 0 ? 0 : 101; }
API cuDeviceGetName(char* name, int length, int) { return snprintf(name, length, "emulated card"), 0; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = total_memory(), 0; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
    return *value = attribute == 75 ? 8 : attribute == 76 ? 0 : attribute == 16 ? 2 : 1, 0;
}
API cuGetErrorString(int code, const char** text) {
    return *text = code == 2 ? "out of memory" : code == 500 ? "named symbol not found" : "an error", 0;
}
API cuDevicePrimaryCtxRetain(void** context, int) { return *context = (void*)1, 0; }
API cuDevicePrimaryCtxRelease_v2(int) { return 0; }
API cuCtxSetCurrent(void*) { return 0; }
API cuStreamCreate(void** stream, unsigned) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    auto own = new Stream;
    streams.insert(own);
    return *stream = own, 0;
}
API cuStreamSynchronize(void* stream) {
    // Nobody can wait for what is recorded.
    if (((Stream*)stream)->recording) return 900;
    return work_off((Stream*)stream, all_of((Stream*)stream)), 0;
}
// GRADUS_EMULATED_GRAPHS: 0 for a driver that knows no graphs, else a file that gets the length of each that is
// queued.
API cuStreamBeginCapture_v2(void* stream, unsigned) {
    if (getenv("GRADUS_EMULATED_GRAPHS") && !strcmp(getenv("GRADUS_EMULATED_GRAPHS"), "0")) return 801;
    std::lock_guard<std::mutex> lock(one_at_a_time);
    return ((Stream*)stream)->recording = new Graph, 0;
}
API cuStreamEndCapture(void* stream, void** graph) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    *graph = ((Stream*)stream)->recording;
    return ((Stream*)stream)->recording = nullptr, 0;
}
API cuGraphInstantiateWithFlags(void** ready, void* graph, unsigned long long) { return *ready = new Graph(*(Graph*)graph), 0; }
API cuGraphDestroy(void* graph) { return delete (Graph*)graph, 0; }
API cuGraphExecDestroy(void* ready) { return delete (Graph*)ready, 0; }
API cuGraphLaunch(void* ready, void* stream) {
    if (auto name = getenv("GRADUS_EMULATED_GRAPHS"))
        if (auto file = fopen(name, "a")) fprintf(file, "%zu\n", ((Graph*)ready)->size()), fclose(file);
    for (auto& job : *(Graph*)ready) queue(stream, job);
    return 0;
}
API cuStreamDestroy_v2(void* stream) {
    cuStreamSynchronize(stream);
    std::lock_guard<std::mutex> lock(one_at_a_time);
    streams.erase((Stream*)stream);
    // Events may name it still.
    return 0;
}
API cuEventCreate(void** event, unsigned) { return *event = new Event, 0; }
API cuEventDestroy_v2(void* event) { return delete (Event*)event, 0; }
API cuEventRecord(void* event, void* stream) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    if (((Stream*)stream)->recording) return 900;
    return *(Event*)event = {(Stream*)stream, ((Stream*)stream)->queued}, 0;
}
API cuEventSynchronize(void* event) {
    auto own = (Event*)event;
    if (own->stream) work_off(own->stream, own->place);
    return 0;
}
API cuEventElapsedTime(float* ms, void*, void*) { return *ms = 0, 0; }
// Whoever asks again and again sees that the card gets on.
API cuEventQuery(void* event) {
    auto own = (Event*)event;
    if (!own->stream) return 0;
    size_t done;
    {
        std::lock_guard<std::mutex> lock(one_at_a_time);
        done = own->stream->done;
    }
    if (done >= own->place) return 0;
    work_off(own->stream, done + 1);
    return 600;
}
API cuMemGetInfo_v2(size_t* left, size_t* total) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    return *total = total_memory(), *left = *total - used, 0;
}
API cuMemAlloc_v2(void** place, size_t bytes) {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    if (bytes > total_memory() - used) return 2;
    *place = aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset(*place, 0xff, bytes); // not numbers, to whoever reads what nobody wrote
    memory[*place] = bytes;
    used += bytes;
    return 0;
}
API cuMemFree_v2(void* place) {
    work_all_off();
    std::lock_guard<std::mutex> lock(one_at_a_time);
    used -= memory[place];
    memory.erase(place);
    return free(place), 0;
}
API cuMemHostAlloc(void** place, size_t bytes, unsigned) { return *place = aligned_alloc(256, (bytes + 255) / 256 * 256), 0; }
API cuMemFreeHost(void* place) { return free(place), 0; }
API cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
    return queue(stream, [=] { memcpy(to, from, bytes); });
}
API cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
    return queue(stream, [=] { memcpy(to, from, bytes); });
}
API cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t bytes, void* stream) {
    return queue(stream, [=] { memmove(to, from, bytes); });
}
API cuMemsetD8Async(void* to, unsigned char value, size_t bytes, void* stream) {
    return queue(stream, [=] { memset(to, value, bytes); });
}
API cuModuleLoadData(void** module, const void* image) {
    const char* text = (const char*)image;
    const char* mark = "// gradus ";
    if (strncmp(text, mark, strlen(mark))) return 218;
    const char* name = text + strlen(mark);
    auto found = modules().find(std::string(name, strcspn(name, " \n")));
    if (found == modules().end()) return 218;
    return *module = &found->second, 0;
}
API cuModuleUnload(void*) { return work_all_off(), 0; }
API cuModuleGetFunction(void** function, void* module, const char* name) {
    auto found = ((Kernels*)module)->find(name);
    if (found == ((Kernels*)module)->end()) return 500;
    return *function = &found->second, 0;
}
API cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned, unsigned,
                   void* stream, void** args, void**) {
    if (x == 0 || y == 0 || z != 1 || y > 65535 || threads > 1024) return 1;
    return queue(stream, (*(emulation::Launch*)function)({x, y, 1}, threads, args));
}
