// What all kernels share. Nothing is included: NVRTC needs no headers for this.
//
// A file of kernels is compiled once for each type of its activations: HALF is 1 for
// bf16, 0 for f32. Sums are in f32 either way, and always in one order, whatever else
// is in the batch.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;
typedef unsigned char u8;

#ifndef EMULATED
#define KERNEL extern "C" __global__ void
#define DEVICE static __device__ __forceinline__
#define INFINITE __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fffffff)
#define UNROLL _Pragma("unroll")
#define UNROLL_4 _Pragma("unroll 4")
#define UNROLL_8 _Pragma("unroll 8")

// Two values in bf16, the first in the lower half.
DEVICE u32 pack(float lo, float hi) {
    u32 r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
    return r;
}
DEVICE float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#endif

// ---- bf16 ---------------------------------------------------------------------------
DEVICE float low(u32 two) { return __uint_as_float(two << 16); }
DEVICE float high(u32 two) { return __uint_as_float(two & 0xffff0000u); }

DEVICE float load(const float* p, u64 i) { return p[i]; }
DEVICE float load(const u16* p, u64 i) { return __uint_as_float((u32)p[i] << 16); }
DEVICE void store(float* p, u64 i, float x) { p[i] = x; }
DEVICE void store(u16* p, u64 i, float x) { p[i] = (u16)pack(x, x); }

// ---- dropout: the masks of gradus_kernels::dropout, bit by bit --------------------------
DEVICE u64 mix64(u64 x) {
    x += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
}
DEVICE u32 hash32(u32 x) {
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}
// Of one site and step. A threshold of 0 drops nothing. The step's key lies in memory: arguments are those of any step.
struct Dropout {
    const u64* key;
    u32 site, threshold;
    float scale;
};
DEVICE u32 row_key(const Dropout& d, u64 stream, u64 row) {
    u64 sequence = mix64(*d.key ^ mix64(stream ^ ((u64)d.site << 32)));
    u64 r = mix64(sequence ^ row);
    return (u32)(r >> 32) ^ (u32)r;
}
// What column c of a row is multiplied by, whose left half has `half` columns.
DEVICE float mask_of(const Dropout& d, u32 key, u32 c, u32 half) {
    bool left = c < half;
    u32 h = hash32(key + (left ? c : c - half) * 0x9E3779B9u);
    u32 bits = left ? (h & 0xffffu) : (h >> 16);
    return bits < d.threshold ? 0.f : d.scale;
}

// Where a token stands: for dropout of rows.
struct Rows {
    const u64* streams; // of its sequence
    const u32* places;  // in its sequence
};

// ---- sums over a warp, a fixed tree -------------------------------------------------------
DEVICE float warp_sum(float x) {
    UNROLL
    for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    return x;
}
DEVICE float warp_max(float x) {
    UNROLL
    for (int i = 16; i > 0; i >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, i));
    return x;
}
DEVICE double warp_sum(double x) {
    UNROLL
    for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
    return x;
}

// ---- activations: gradus_kernels::Activation, by number ---------------------------------
DEVICE float activate(int kind, float x) {
    switch (kind) {
    case 1: return 0.5f * x * (1.f + erff(x * 0.70710678118654752f));
    case 2: {
        float t = tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x));
        return 0.5f * x * (1.f + t);
    }
    case 3: return fmaxf(x, 0.f);
    case 4: return x / (1.f + expf(-x));
    case 5: return tanhf(x);
    default: return x;
    }
}
DEVICE float slope(int kind, float x) {
    switch (kind) {
    case 1: {
        float below = 0.5f * (1.f + erff(x * 0.70710678118654752f));
        return below + x * 0.39894228040143268f * expf(-0.5f * x * x);
    }
    case 2: {
        float t = tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x));
        float inner = 0.79788456080286536f * (1.f + 3.f * 0.044715f * x * x);
        return 0.5f * (1.f + t) + 0.5f * x * (1.f - t * t) * inner;
    }
    case 3: return x > 0.f ? 1.f : 0.f;
    case 4: {
        float s = 1.f / (1.f + expf(-x));
        return s * (1.f + x * (1.f - s));
    }
    case 5: {
        float t = tanhf(x);
        return 1.f - t * t;
    }
    default: return 1.f;
    }
}

// ---- tensor cores, from compute capability 8.0 on -----------------------------------------
#ifndef EMULATED
typedef u32 Shared; // an address in shared memory
DEVICE Shared shared(const void* p) { return (u32)__cvta_generic_to_shared(p); }
// Four 8 x 8 matrices; lane i has the address of a row of 16 bytes of matrix i / 8.
DEVICE void load_matrices(u32 (&r)[4], Shared at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
DEVICE void load_matrices_across(u32 (&r)[4], Shared at) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}
// d += a b: 16 x 16 by 16 x 8.
DEVICE void multiply(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// 16 bytes to shared memory in the background; zeros where there are none.
DEVICE void copy16(Shared to, const void* from, bool there) {
    int n = there ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(n));
}
DEVICE void copies_begun() { asm volatile("cp.async.commit_group;"); }
template <int STILL> DEVICE void copies_done() {
    asm volatile("cp.async.wait_group %0;" ::"n"(STILL));
}
#endif
