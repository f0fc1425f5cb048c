// AdamW over flat arenas in f32, and the norm of gradients.

struct Segment {
    u64 from, to;
    float rate, keep; // keep: 1 - rate * decay
};
struct Step {
    float take1, keep2, take2, root2, eps, most; // most: what norms are clipped to, or infinity
    float rate1;                                 // 1 / (1 - beta1^step)
};
#define BLOCK 2048

// Rows of a table at from..to, of which those with a flag of 0 hold zeros. Without flags there is none.
struct Table {
    const u8* flags;
    u64 from, to, cols;
};
DEVICE bool is_zero(const Table& t, u64 k) {
    if (!t.flags || k < t.from || k >= t.to) return false;
    return !t.flags[(u32)(k - t.from) / (u32)t.cols];
}

// A block has 2048 values of a segment: block b belongs to segment of[b], whose first block is begins[s].
KERNEL __launch_bounds__(256)
adamw(float* __restrict__ params, const float* __restrict__ grads, float* __restrict__ first, float* __restrict__ second,
      u16* __restrict__ shadow, const Segment* __restrict__ segments, const u32* __restrict__ begins,
      const u32* __restrict__ of, Step s, const double* __restrict__ norm, Table moved) {
    double n = *norm;
    if (n - n != 0) return; // no finite number: the step changes nothing
    double c = (double)s.most / (n + 1e-6);
    float scale = c < 1.0 ? (float)c : 1.f;
    u32 which = of[blockIdx.x];
    Segment segment = segments[which];
    u64 at = segment.from + (u64)(blockIdx.x - begins[which]) * BLOCK + threadIdx.x;
    float g[8], m[8], v[8], p[8];
    bool still[8]; // a row that has never moved: it decays
    UNROLL
    for (int i = 0; i < 8; i++) {
        u64 k = at + i * 256;
        still[i] = false;
        if (k >= segment.to) continue;
        still[i] = is_zero(moved, k);
        if (!still[i]) { g[i] = grads[k]; m[i] = first[k]; v[i] = second[k]; }
        if (!still[i] || segment.keep != 1.f) p[i] = params[k];
    }
    UNROLL
    for (int i = 0; i < 8; i++) {
        u64 k = at + i * 256;
        if (k >= segment.to) continue;
        if (still[i]) {
            if (segment.keep == 1.f) continue;
            p[i] *= segment.keep;
            params[k] = p[i];
            if (shadow) store(shadow, k, p[i]);
            continue;
        }
        float d = g[i] * scale;
        m[i] += (d - m[i]) * s.take1;
        v[i] = v[i] * s.keep2 + s.take2 * d * d;
        p[i] = p[i] * segment.keep - segment.rate * s.rate1 * m[i] / (sqrtf(v[i]) / s.root2 + s.eps);
        first[k] = m[i];
        second[k] = v[i];
        params[k] = p[i];
        if (shadow) store(shadow, k, p[i]);
    }
}

// Sums of squares of 16,384 values a block, in f64. Ranges as segments above.
#define SQUARES 16384
KERNEL __launch_bounds__(256)
squares(const float* __restrict__ g, const Segment* __restrict__ ranges, const u32* __restrict__ begins,
        const u32* __restrict__ of, double* __restrict__ partial, Table touched) {
    __shared__ double sums[8];
    u32 which = of[blockIdx.x];
    u64 from = ranges[which].from + (u64)(blockIdx.x - begins[which]) * SQUARES, to = min(from + SQUARES, ranges[which].to);
    double s = 0;
    for (u64 i = from + threadIdx.x; i < to; i += 256) {
        if (is_zero(touched, i)) continue;
        double x = g[i];
        s += x * x;
    }
    s = warp_sum(s);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = s;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < 8; w++) s += sums[w];
        partial[blockIdx.x] = s;
    }
}
// One block: the root of the partial sums and `rest` together.
KERNEL __launch_bounds__(256) root(const double* __restrict__ partial, u32 n, double rest, double* __restrict__ norm) {
    __shared__ double sums[8];
    double s = 0;
    for (u32 i = threadIdx.x; i < n; i += 256) s += partial[i];
    s = warp_sum(s);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = s;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < 8; w++) s += sums[w];
        *norm = sqrt(s + rest);
    }
}
KERNEL joint_root(const double* __restrict__ a, const double* __restrict__ b, double* __restrict__ norm) {
    if (threadIdx.x == 0) *norm = sqrt(*a * *a + *b * *b);
}

// Zeros in ranges, 2,048 values a block, and in the rows of a table whose flag is set, a warp each.
KERNEL __launch_bounds__(256) clear_ranges(float* __restrict__ g, const Segment* __restrict__ ranges,
                                           const u32* __restrict__ begins, const u32* __restrict__ of) {
    u32 which = of[blockIdx.x];
    u64 at = ranges[which].from + (u64)(blockIdx.x - begins[which]) * BLOCK + threadIdx.x;
    UNROLL
    for (int i = 0; i < 8; i++)
        if (at + i * 256 < ranges[which].to) g[at + i * 256] = 0.f;
}
KERNEL __launch_bounds__(256) clear_rows(float* __restrict__ g, const u8* __restrict__ flags, u32 rows, u32 cols) {
    u32 r = blockIdx.x * 8 + threadIdx.x / 32;
    if (r >= rows || !flags[r]) return;
    for (u32 c = threadIdx.x % 32; c < cols; c += 32) g[(u64)r * cols + c] = 0.f;
}
// Which rows of two matrices hold anything, a warp each.
KERNEL __launch_bounds__(256) find_rows(const float* __restrict__ m, const float* __restrict__ v, u8* __restrict__ flags,
                                        u32 rows, u32 cols) {
    u32 r = blockIdx.x * 8 + threadIdx.x / 32;
    if (r >= rows) return;
    float any = 0.f;
    for (u32 c = threadIdx.x % 32; c < cols; c += 32)
        if (m[(u64)r * cols + c] != 0.f || v[(u64)r * cols + c] != 0.f) any = 1.f;
    any = warp_sum(any);
    if (threadIdx.x % 32 == 0) flags[r] = any > 0.f;
}
KERNEL __launch_bounds__(256) join_rows(u8* __restrict__ flags, const u8* __restrict__ others, u32 rows) {
    u32 r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r < rows && others[r]) flags[r] = 1;
}
