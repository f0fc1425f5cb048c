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

// A block has 2048 values of a segment: block b belongs to segment of[b], whose first block is begins[s].
KERNEL __launch_bounds__(256)
adamw(float* __restrict__ params, const float* __restrict__ grads, float* __restrict__ first, float* __restrict__ second,
      u16* __restrict__ shadow, const Segment* __restrict__ segments, const u32* __restrict__ begins,
      const u32* __restrict__ of, Step s, const double* __restrict__ norm) {
    double n = *norm;
    if (n - n != 0) return; // no finite number: the step changes nothing
    double c = (double)s.most / (n + 1e-6);
    float scale = c < 1.0 ? (float)c : 1.f;
    u32 which = of[blockIdx.x];
    Segment segment = segments[which];
    u64 at = segment.from + (u64)(blockIdx.x - begins[which]) * BLOCK + threadIdx.x;
    float g[8], m[8], v[8], p[8];
    UNROLL
    for (int i = 0; i < 8; i++) {
        u64 k = at + i * 256;
        if (k < segment.to) { g[i] = grads[k]; m[i] = first[k]; v[i] = second[k]; p[i] = params[k]; }
    }
    UNROLL
    for (int i = 0; i < 8; i++) {
        u64 k = at + i * 256;
        if (k >= segment.to) continue;
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
        const u32* __restrict__ of, double* __restrict__ partial) {
    __shared__ double sums[8];
    u32 which = of[blockIdx.x];
    u64 from = ranges[which].from + (u64)(blockIdx.x - begins[which]) * SQUARES, to = min(from + SQUARES, ranges[which].to);
    double s = 0;
    for (u64 i = from + threadIdx.x; i < to; i += 256) { double x = g[i]; s += x * x; }
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
