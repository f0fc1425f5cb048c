// Self-attention over packed sequences for any size of heads: a warp has a query (or a key) of a head.
// Plain and slow; attention_mma.cu has the sizes that models have.
#if HALF
typedef u16 T;
#else
typedef float T;
#endif

struct Attention {
    const u32 *offsets, *sequences; // where sequences begin; each token's sequence
    const u64* streams;             // of sequences
    int q_heads, kv_heads, size, longest;
    u32 before, after; // how far a query sees
    float scale;
    const float* bias; // [q_heads, 2 * longest - 1], or null
};

struct Place {
    u32 start, len, i; // of its sequence, in it
    u64 stream;
};
DEVICE Place place(const Attention& a, u32 row) {
    u32 s = a.sequences[row];
    Place p;
    p.start = a.offsets[s];
    p.len = a.offsets[s + 1] - p.start;
    p.i = row - p.start;
    p.stream = a.streams[s];
    return p;
}
// The keys that query i sees: from..to.
DEVICE u32 seen_from(const Attention& a, u32 i) { return i > a.before ? i - a.before : 0; }
DEVICE u32 seen_to(const Attention& a, u32 i, u32 len) { return len - i > a.after ? i + a.after + 1 : len; }
DEVICE float dot(const T* a, const T* b, int n) {
    float s = 0.f;
    for (int d = 0; d < n; d++) s += load(a, d) * load(b, d);
    return s;
}
DEVICE float score(const Attention& a, const T* q, const T* k, int h, u32 i, u32 j) {
    float s = dot(q, k, a.size) * a.scale;
    return a.bias ? s + a.bias[(u64)h * (2 * a.longest - 1) + a.longest - 1 + j - i] : s;
}
#define LOG2E 1.4426950408889634f

// lse: of base 2, [tokens, q_heads], or null.
KERNEL attention_forward(const T* __restrict__ qkv, T* __restrict__ out, float* __restrict__ lse, Attention a, Dropout drop,
                         u32 tokens) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (at >= tokens * a.q_heads) return;
    u32 row = at / a.q_heads, h = at % a.q_heads, kv = h * a.kv_heads / a.q_heads;
    Place p = place(a, row);
    u64 stride = (u64)(a.q_heads + 2 * a.kv_heads) * a.size;
    const T* q = qkv + row * stride + h * a.size;
    const T* k = qkv + p.start * stride + (a.q_heads + kv) * a.size;
    const T* v = k + a.kv_heads * a.size;
    u32 from = seen_from(a, p.i), to = seen_to(a, p.i, p.len);
    float most = -1e30f, sum = 0.f;
    for (u32 j = from + lane; j < to; j += 32) most = fmaxf(most, score(a, q, k + j * stride, h, p.i, j));
    most = warp_max(most);
    for (u32 j = from + lane; j < to; j += 32) sum += expf(score(a, q, k + j * stride, h, p.i, j) - most);
    sum = warp_sum(sum);
    u32 key = drop.threshold ? row_key(drop, p.stream, ((u64)h << 32) | p.i) : 0, half = (p.len + 1) / 2;
    for (int d0 = 0; d0 < a.size; d0 += 32) {
        int d = d0 + lane;
        float y = 0.f;
        for (u32 j0 = from; j0 < to; j0 += 32) {
            u32 j = j0 + lane;
            float w = 0.f;
            if (j < to) {
                w = expf(score(a, q, k + j * stride, h, p.i, j) - most) / sum;
                if (drop.threshold) w *= mask_of(drop, key, j, half);
            }
            for (u32 other = 0; other < 32 && j0 + other < to; other++) {
                float weight = __shfl_sync(0xffffffffu, w, other);
                if (d < a.size) y += weight * load(v + (j0 + other) * stride, d);
            }
        }
        if (d < a.size) store(out, (u64)row * a.q_heads * a.size + h * a.size + d, y);
    }
    if (lse && lane == 0) lse[at] = (most + logf(sum)) * LOG2E;
}

// delta = dO . O of each row and head.
KERNEL attention_delta(const T* __restrict__ out, const T* __restrict__ dout, float* __restrict__ delta, u32 size, u32 n) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (at >= n) return;
    float s = 0.f;
    for (u32 d = lane; d < size; d += 32) s += load(out, (u64)at * size + d) * load(dout, (u64)at * size + d);
    s = warp_sum(s);
    if (lane == 0) delta[at] = s;
}

// The probability, and the gradient of the score, of query i and key j.
struct Slope {
    float p, masked, ds;
};
DEVICE Slope slope_of(const Attention& a, const T* q, const T* k, const T* v, const T* dout, float lse, float delta, u32 h,
                      u32 i, u32 j, const Dropout& drop, u32 key, u32 half) {
    Slope s;
    s.p = exp2f(score(a, q, k, h, i, j) * LOG2E - lse);
    float m = drop.threshold ? mask_of(drop, key, j, half) : 1.f;
    s.masked = s.p * m;
    s.ds = s.p * (dot(dout, v, a.size) * m - delta);
    return s;
}

KERNEL attention_backward_q(const T* __restrict__ qkv, const T* __restrict__ dout, const float* __restrict__ lse,
                            const float* __restrict__ delta, T* __restrict__ dqkv, Attention a, Dropout drop, u32 tokens) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (at >= tokens * a.q_heads) return;
    u32 row = at / a.q_heads, h = at % a.q_heads, kv = h * a.kv_heads / a.q_heads;
    Place p = place(a, row);
    u64 stride = (u64)(a.q_heads + 2 * a.kv_heads) * a.size;
    const T* q = qkv + row * stride + h * a.size;
    const T* k = qkv + p.start * stride + (a.q_heads + kv) * a.size;
    const T* v = k + a.kv_heads * a.size;
    const T* d_own = dout + (u64)at * a.size;
    u32 from = seen_from(a, p.i), to = seen_to(a, p.i, p.len);
    u32 key = drop.threshold ? row_key(drop, p.stream, ((u64)h << 32) | p.i) : 0, half = (p.len + 1) / 2;
    for (int d0 = 0; d0 < a.size; d0 += 32) {
        int d = d0 + lane;
        float y = 0.f;
        for (u32 j0 = from; j0 < to; j0 += 32) {
            u32 j = j0 + lane;
            float w = 0.f;
            if (j < to)
                w = slope_of(a, q, k + j * stride, v + j * stride, d_own, lse[at], delta[at], h, p.i, j, drop, key, half).ds;
            for (u32 other = 0; other < 32 && j0 + other < to; other++) {
                float weight = __shfl_sync(0xffffffffu, w, other);
                if (d < a.size) y += weight * load(k + (j0 + other) * stride, d);
            }
        }
        if (d < a.size) store(dqkv, row * stride + h * a.size + d, y * a.scale);
    }
}

KERNEL attention_backward_kv(const T* __restrict__ qkv, const T* __restrict__ dout, const float* __restrict__ lse,
                             const float* __restrict__ delta, T* __restrict__ dqkv, Attention a, Dropout drop, u32 tokens) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (at >= tokens * a.kv_heads) return;
    u32 row = at / a.kv_heads, kv = at % a.kv_heads, group = a.q_heads / a.kv_heads;
    Place p = place(a, row);
    u64 stride = (u64)(a.q_heads + 2 * a.kv_heads) * a.size;
    const T* k = qkv + row * stride + (a.q_heads + kv) * a.size;
    const T* v = k + a.kv_heads * a.size;
    u32 half = (p.len + 1) / 2;
    // The queries that see this key.
    u32 from = p.i > a.after ? p.i - a.after : 0, to = p.len - p.i > a.before ? p.i + a.before + 1 : p.len;
    for (int d0 = 0; d0 < a.size; d0 += 32) {
        int d = d0 + lane;
        float dk = 0.f, dv = 0.f;
        for (u32 h = kv * group; h < (kv + 1) * group; h++)
            for (u32 i0 = from; i0 < to; i0 += 32) {
                u32 i = i0 + lane;
                float ds = 0.f, masked = 0.f;
                if (i < to) {
                    u64 query = p.start + i;
                    u32 key = drop.threshold ? row_key(drop, p.stream, ((u64)h << 32) | i) : 0;
                    u64 own = query * a.q_heads + h;
                    Slope s = slope_of(a, qkv + query * stride + h * a.size, k, v, dout + own * a.size, lse[own], delta[own],
                                       h, i, p.i, drop, key, half);
                    ds = s.ds;
                    masked = s.masked;
                }
                for (u32 other = 0; other < 32 && i0 + other < to; other++) {
                    float s = __shfl_sync(0xffffffffu, ds, other), m = __shfl_sync(0xffffffffu, masked, other);
                    u64 query = p.start + i0 + other;
                    if (d < a.size) {
                        dk += s * load(qkv + query * stride + h * a.size, d);
                        dv += m * load(dout + (query * a.q_heads + h) * a.size, d);
                    }
                }
            }
        if (d < a.size) {
            u64 to_k = row * stride + (a.q_heads + kv) * a.size + d;
            store(dqkv, to_k, dk * a.scale);
            store(dqkv, to_k + a.kv_heads * a.size, dv);
        }
    }
}

// Adds to the bias's gradient: a block has a head and a distance, its threads the queries.
KERNEL attention_backward_bias(const T* __restrict__ qkv, const T* __restrict__ dout, const float* __restrict__ lse,
                               const float* __restrict__ delta, float* __restrict__ dbias, Attention a, Dropout drop,
                               u32 tokens) {
    __shared__ float sums[4];
    u32 h = blockIdx.y, kv = h * a.kv_heads / a.q_heads;
    int distance = (int)blockIdx.x - (a.longest - 1), lane = threadIdx.x % 32;
    u64 stride = (u64)(a.q_heads + 2 * a.kv_heads) * a.size;
    float sum = 0.f;
    for (u32 row = threadIdx.x; row < tokens; row += 128) {
        Place p = place(a, row);
        int j = (int)p.i + distance;
        if (j < (int)seen_from(a, p.i) || j >= (int)seen_to(a, p.i, p.len)) continue;
        const T* q = qkv + row * stride + h * a.size;
        const T* k = qkv + (p.start + j) * stride + (a.q_heads + kv) * a.size;
        u64 own = (u64)row * a.q_heads + h;
        u32 key = drop.threshold ? row_key(drop, p.stream, ((u64)h << 32) | p.i) : 0;
        sum += slope_of(a, q, k, k + a.kv_heads * a.size, dout + own * a.size, lse[own], delta[own], h, p.i, j, drop, key,
                        (p.len + 1) / 2)
                   .ds;
    }
    sum = warp_sum(sum);
    if (lane == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x == 0)
        dbias[(u64)h * (2 * a.longest - 1) + blockIdx.x] += sums[0] + sums[1] + sums[2] + sums[3];
}
