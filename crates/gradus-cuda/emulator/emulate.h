// Runs CUDA kernels on the processor, so that their arithmetic can be tested where there is no card: a thread
// of a block is a stack of its own, and warps and blocks meet at barriers. Blocks run one after the other, on the
// thread that waits for them.
//
// Orders that a card does not promise are changed all the time, and copies in the background come as late as they
// may, so that what lacks a barrier or a wait gives other bits. Not shown by it: speed, and races between threads of
// a warp.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#define EMULATED
#define KERNEL static void
#define DEVICE static inline
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static thread_local
#define UNROLL
#define UNROLL_4
#define UNROLL_8
#define INFINITE INFINITY

typedef unsigned int u32;
struct Dim { unsigned x = 0, y = 0, z = 0; };
struct float2 { float x, y; };
struct uint2 { u32 x, y; };
struct uint4 { u32 x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
template <class A> static inline A min(A a, A b) { return a < b ? a : b; }

// Goes on with another stack: saves what calls keep, and where this one is.
extern "C" void emulation_switch(void** from, void* to);
#if defined(__x86_64__)
asm(R"(
    .text
    .globl emulation_switch
    .type emulation_switch, @function
emulation_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
enum { SAVED = 6, RETURN = 6, STACK_TOP = 8 };
#elif defined(__aarch64__)
asm(R"(
    .text
    .globl emulation_switch
    .type emulation_switch, %function
emulation_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
enum { SAVED = 20, RETURN = 11, STACK_TOP = 20 };
#else
#error "no switch of stacks for this processor"
#endif

namespace emulation {
struct Warp {
    void* of[32];
    int arrived = 0;
    unsigned turn = 0;
};
// A copy in the background, of 16 bytes.
struct Copy {
    void* to;
    const void* from;
    bool there;
    void make() const {
        if (there)
            memcpy(to, from, 16);
        else
            memset(to, 0, 16);
    }
};
struct Fiber {
    void* at;
    std::vector<char> stack;
    Dim thread;
    bool done = false;
    // It goes on when this is another number.
    const unsigned* waits_for = nullptr;
    unsigned until = 0;
    // Copies of groups that were begun, oldest first, and of the group that is being put together.
    std::vector<std::vector<Copy>> groups;
    std::vector<Copy> group;
};
static thread_local std::vector<Fiber> fibers;
static thread_local std::vector<Warp> warps;
static thread_local Fiber* current;
static thread_local Dim thread, block, grid, size;
static thread_local void* home;
static thread_local int waiting, living;
static thread_local unsigned turn;
static thread_local std::function<void()> body;

static void leave() { emulation_switch(&current->at, home); }
static void wait(const unsigned& number) {
    current->waits_for = &number;
    current->until = number;
    leave();
}
static void barrier() {
    if (++waiting < living) return wait(turn);
    waiting = 0;
    turn++;
}
// All 32 threads of a warp come with what they have; the last one does the work of all.
template <class Own, class Work> static void together(Own& own, Work work) {
    Warp& warp = warps[thread.x / 32];
    warp.of[thread.x % 32] = &own;
    if (++warp.arrived == 32) {
        Own* all[32];
        for (int i = 0; i < 32; i++) all[i] = (Own*)warp.of[i];
        work(all);
        warp.arrived = 0;
        warp.turn++;
        return;
    }
    wait(warp.turn);
}
static void enter() {
    body();
    current->done = true;
    living--;
    if (waiting && waiting == living) {
        waiting = 0;
        turn++;
    }
    for (;;) leave();
}
// Below `n`, another one each time.
static unsigned draw(unsigned n) {
    static thread_local uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}
static void go_on(Fiber& fiber) {
    if (fiber.done || (fiber.waits_for && *fiber.waits_for == fiber.until)) return;
    current = &fiber;
    thread = fiber.thread;
    emulation_switch(&home, fiber.at);
}
static void fibers_of_block(unsigned threads) {
    fibers.resize(threads > fibers.size() ? threads : fibers.size());
    warps.assign((threads + 31) / 32, Warp());
    waiting = 0;
    living = threads;
    for (unsigned i = 0; i < threads; i++) {
        Fiber& f = fibers[i];
        if (f.stack.empty()) f.stack.resize(1 << 16);
        f.thread = {i, 0, 0};
        f.done = false;
        f.waits_for = nullptr;
        f.groups.clear();
        f.group.clear();
        // As if `enter` had been left at its start.
        void** top = (void**)(((uintptr_t)(f.stack.data() + f.stack.size()) & ~(uintptr_t)15)) - STACK_TOP;
        memset(top, 0, STACK_TOP * sizeof(void*));
        top[RETURN] = (void*)enter;
        f.at = top;
    }
    // Warps side by side, or each to the next barrier before another one moves.
    bool alone_ahead = draw(2);
    std::vector<unsigned> order(warps.size());
    for (unsigned i = 0; i < order.size(); i++) order[i] = i;
    for (long idle = 0; living;) {
        for (unsigned i = order.size(); i > 1; i--) std::swap(order[i - 1], order[draw(i)]);
        int before = living;
        unsigned progress = turn;
        for (auto& w : warps) progress += w.turn;
        for (unsigned warp : order) {
            unsigned before;
            do {
                before = warps[warp].turn;
                for (unsigned i = 32 * warp; i < min(threads, 32 * (warp + 1)); i++) go_on(fibers[i]);
            } while (alone_ahead && warps[warp].turn != before);
        }
        unsigned now = turn;
        for (auto& w : warps) now += w.turn;
        idle = living == before && now == progress ? idle + 1 : 0;
        if (idle > 3) {
            fprintf(stderr, "emulation: a warp or a block waits for ever\n");
            abort();
        }
    }
}
static void run(Dim blocks, unsigned threads, bool alone, std::function<void()> job) {
    body = std::move(job);
    grid = blocks;
    size = {threads, 1, 1};
    bool backwards = draw(2);
    for (unsigned j = 0; j < blocks.y; j++)
        for (unsigned i = 0; i < blocks.x; i++) {
            block = backwards ? Dim{blocks.x - 1 - i, blocks.y - 1 - j, 0} : Dim{i, j, 0};
            if (!alone) {
                fibers_of_block(threads);
                continue;
            }
            for (unsigned i = 0; i < threads; i++) {
                thread = {i, 0, 0};
                body();
            }
        }
}
typedef std::function<void()> Job;
typedef std::function<Job(Dim, unsigned, void**)> Launch;
template <class... A, size_t... I>
std::tuple<std::remove_cv_t<std::remove_reference_t<A>>...> values(void (*)(A...), void** args, std::index_sequence<I...>) {
    return {*(std::remove_cv_t<std::remove_reference_t<A>>*)args[I]...};
}
// A kernel with the values that its arguments have when it is launched. `alone`: its threads meet nowhere.
template <class... A> Launch launcher(void (*kernel)(A...), bool alone) {
    return [=](Dim grid, unsigned threads, void** args) -> Job {
        auto own = values(kernel, args, std::index_sequence_for<A...>());
        return [=] { run(grid, threads, alone, [&] { std::apply(kernel, own); }); };
    };
}
} // namespace emulation

#define threadIdx (emulation::thread)
#define blockIdx (emulation::block)
#define gridDim (emulation::grid)
#define blockDim (emulation::size)
#define __syncthreads emulation::barrier

static inline float __uint_as_float(u32 x) {
    float f;
    memcpy(&f, &x, 4);
    return f;
}
static inline u32 __float_as_uint(float x) {
    u32 u;
    memcpy(&u, &x, 4);
    return u;
}
template <class T> static T __shfl_xor_sync(u32, T x, int mask) {
    struct { T in, out; int mask; } own{x, x, mask};
    emulation::together(own, [](auto** all) {
        for (int i = 0; i < 32; i++) all[i]->out = all[i ^ all[i]->mask]->in;
    });
    return own.out;
}
template <class T> static T __shfl_sync(u32, T x, int from) {
    struct { T in, out; int from; } own{x, x, from};
    emulation::together(own, [](auto** all) {
        for (int i = 0; i < 32; i++) all[i]->out = all[all[i]->from]->in;
    });
    return own.out;
}
static inline u32 nearest_bf16(float x) {
    u32 b = __float_as_uint(x);
    return x != x ? 0x7fff : (b + 0x7fff + ((b >> 16) & 1)) >> 16;
}
static inline u32 pack(float lo, float hi) { return nearest_bf16(lo) | nearest_bf16(hi) << 16; }
static inline float exp2_fast(float x) { return exp2f(x); }

// Tensor cores and copies in the background.
typedef const void* Shared;
static inline Shared shared(const void* p) { return p; }
struct LoadMatrices {
    const uint16_t* row;
    u32* out;
    bool across;
};
static inline void load_all(LoadMatrices own) {
    emulation::together(own, [](LoadMatrices** all) {
        for (int lane = 0; lane < 32; lane++)
            for (int m = 0; m < 4; m++) {
                auto at = [&](int r, int c) { return (u32)all[8 * m + r]->row[c]; };
                int g = lane / 4, t = 2 * (lane % 4);
                all[lane]->out[m] =
                    all[lane]->across ? at(t, g) | at(t + 1, g) << 16 : at(g, t) | at(g, t + 1) << 16;
            }
    });
}
static inline void load_matrices(u32 (&r)[4], Shared at) { load_all({(const uint16_t*)at, r, false}); }
static inline void load_matrices_across(u32 (&r)[4], Shared at) { load_all({(const uint16_t*)at, r, true}); }
struct Multiply {
    float* d;
    const u32* a;
    u32 b[2];
};
static inline void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    Multiply own{d, a, {b0, b1}};
    emulation::together(own, [](Multiply** all) {
        float a[16][16], b[16][8];
        auto value = [](u32 two, int i) { return __uint_as_float(i ? two & 0xffff0000u : two << 16); };
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 2; i++) {
                int g = lane / 4, t = 2 * (lane % 4) + i;
                for (int q = 0; q < 4; q++) a[g + 8 * (q % 2)][t + 8 * (q / 2)] = value(all[lane]->a[q], i);
                for (int q = 0; q < 2; q++) b[t + 8 * q][g] = value(all[lane]->b[q], i);
            }
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 4; i++) {
                int r = lane / 4 + 8 * (i / 2), c = 2 * (lane % 4) + i % 2;
                float s = all[lane]->d[i];
                for (int k = 0; k < 16; k++) s += a[r][k] * b[k][c];
                all[lane]->d[i] = s;
            }
    });
}
static inline void copy16(Shared to, const void* from, bool there) {
    emulation::current->group.push_back({(void*)to, from, there});
}
static inline void copies_begun() {
    auto& own = *emulation::current;
    own.groups.push_back(std::move(own.group));
    own.group.clear();
}
template <int STILL> static inline void copies_done() {
    auto& groups = emulation::current->groups;
    while (groups.size() > STILL) {
        for (auto& copy : groups.front()) copy.make();
        groups.erase(groups.begin());
    }
}
