// Norms over runs of neighbouring values, a warp a run. A row may have several runs (heads), which
// share scale and shift, and rows may lie in wider ones (queries and keys within qkv).
#if HALF
typedef u16 T;
#else
typedef float T;
#endif

struct Norm {
    int kind; // gradus_kernels::NormKind: 0 LayerNorm, 1 Rms, 2 RmsOnePlus
    int width, runs;
    float eps;
    const float *gamma, *beta; // beta may be null
};
// A matrix within a wider one: the distance of rows, and the first column.
struct Lanes {
    u32 stride, first;
};

DEVICE float scale_of(const Norm& norm, int c) { return norm.kind == 2 ? 1.f + norm.gamma[c] : norm.gamma[c]; }

// out = norm(dropout(x) + residual). xhat and inverse may be null. x may be out.
KERNEL norm_forward(const T* x, Lanes x_at, const T* __restrict__ residual, Norm norm, Rows rows, Dropout drop,
                    T* out, Lanes out_at, T* __restrict__ xhat, Lanes xhat_at, float* __restrict__ inverse,
                    Lanes inverse_at, u32 n) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32, width = norm.width;
    if (at >= n * norm.runs) return;
    u32 row = at / norm.runs, run = at % norm.runs;
    const T* px = x + (u64)row * x_at.stride + x_at.first + run * width;
    u32 cols = width * norm.runs;
    const T* pr = residual ? residual + (u64)row * cols + run * width : 0;
    u32 key = drop.threshold ? row_key(drop, rows.streams[row], rows.places[row]) : 0;
    u32 half = (cols + 1) / 2;
#define VALUE(c) \
    (load(px, c) * (drop.threshold ? mask_of(drop, key, run * width + c, half) : 1.f) + (pr ? load(pr, c) : 0.f))
    float mean = 0.f;
    if (norm.kind == 0) {
        for (int c = lane; c < width; c += 32) mean += VALUE(c);
        mean = warp_sum(mean) / width;
    }
    float squares = 0.f;
    for (int c = lane; c < width; c += 32) {
        float d = VALUE(c) - mean;
        squares += d * d;
    }
    float inv = 1.f / sqrtf(warp_sum(squares) / width + norm.eps);
    if (inverse && lane == 0) inverse[(u64)row * inverse_at.stride + inverse_at.first + run] = inv;
    for (int c = lane; c < width; c += 32) {
        float h = (VALUE(c) - mean) * inv;
        if (xhat) store(xhat, (u64)row * xhat_at.stride + xhat_at.first + run * width + c, h);
        float y = h * scale_of(norm, c);
        store(out, (u64)row * out_at.stride + out_at.first + run * width + c, norm.beta ? y + norm.beta[c] : y);
    }
}

// Rows that a block sums for the gradients of scale and shift, whatever the machine.
#define PIECE 64
// dsum = the gradient of the sum, dx = that of x before dropout (may be null). dy may be dsum.
KERNEL norm_backward(const T* dy, Lanes dy_at, const T* __restrict__ xhat, Lanes xhat_at,
                     const float* __restrict__ inverse, Lanes inverse_at, Norm norm, Rows rows, Dropout drop,
                     T* dsum, Lanes dsum_at, T* __restrict__ dx, u32 n) {
    u32 at = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32, width = norm.width;
    if (at >= n * norm.runs) return;
    u32 row = at / norm.runs, run = at % norm.runs, cols = width * norm.runs;
    const T* pd = dy + (u64)row * dy_at.stride + dy_at.first + run * width;
    const T* ph = xhat + (u64)row * xhat_at.stride + xhat_at.first + run * width;
    float s = 0.f, t = 0.f;
    for (int c = lane; c < width; c += 32) {
        float d = load(pd, c) * scale_of(norm, c);
        s += d;
        t += d * load(ph, c);
    }
    s = norm.kind == 0 ? warp_sum(s) / width : 0.f;
    t = warp_sum(t) / width;
    float inv = inverse[(u64)row * inverse_at.stride + inverse_at.first + run];
    u32 key = drop.threshold ? row_key(drop, rows.streams[row], rows.places[row]) : 0;
    for (int c = lane; c < width; c += 32) {
        float a = (load(pd, c) * scale_of(norm, c) - s - load(ph, c) * t) * inv;
        store(dsum, (u64)row * dsum_at.stride + dsum_at.first + run * width + c, a);
        if (dx) {
            float m = mask_of(drop, key, run * width + c, (cols + 1) / 2);
            store(dx, (u64)row * cols + run * width + c, a * m);
        }
    }
}
// Before it, as dsum may take dy's place: sums over pieces of 64 rows, partial[piece][2][width], for scale and
// shift. A thread has a column.
KERNEL norm_sums(const T* __restrict__ dy, Lanes dy_at, const T* __restrict__ xhat, Lanes xhat_at, u32 width, u32 runs,
                 float* __restrict__ partial, u32 n) {
    u32 c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= width) return;
    float g = 0.f, b = 0.f;
    u32 from = blockIdx.x * PIECE, to = min(from + PIECE, n);
    for (u32 row = from; row < to; row++)
        for (u32 run = 0; run < runs; run++) {
            float d = load(dy, (u64)row * dy_at.stride + dy_at.first + run * width + c);
            g += d * load(xhat, (u64)row * xhat_at.stride + xhat_at.first + run * width + c);
            b += d;
        }
    partial[(u64)blockIdx.x * 2 * width + c] = g;
    partial[((u64)blockIdx.x * 2 + 1) * width + c] = b;
}
// Sums of columns over pieces of 64 rows, [rows, cols]: for the gradient of a bias.
KERNEL column_sums(const T* __restrict__ x, float* __restrict__ partial, u32 cols, u32 n) {
    u32 from = blockIdx.x * PIECE, to = min(from + PIECE, n);
#if HALF
    u32 c = 2 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (c >= cols) return;
    if (cols % 2 == 0) { // whole pairs, aligned
        float s = 0.f, t = 0.f;
        UNROLL_8
        for (u32 row = from; row < to; row++) {
            u32 two = ((const u32*)x)[((u64)row * cols + c) / 2];
            s += low(two);
            t += high(two);
        }
        partial[(u64)blockIdx.x * cols + c] = s;
        partial[(u64)blockIdx.x * cols + c + 1] = t;
        return;
    }
    for (u32 end = min(c + 2, cols); c < end; c++) {
#else
    u32 c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= cols) return;
    {
#endif
        float s = 0.f;
        for (u32 row = from; row < to; row++) s += load(x, (u64)row * cols + c);
        partial[(u64)blockIdx.x * cols + c] = s;
    }
}
#if !HALF
// Adds pieces, [pieces][kinds][cols], to up to three places, each of `cols` values; one may be null. A block has
// 32 columns, each of its eight warps every eighth piece.
KERNEL __launch_bounds__(256)
add_pieces(const float* __restrict__ partial, float* __restrict__ to0, float* __restrict__ to1, float* __restrict__ to2,
           u32 cols, u32 kinds, u32 pieces) {
    __shared__ float sums[8][32];
    u32 lane = threadIdx.x % 32, warp = threadIdx.x / 32, c = blockIdx.x * 32 + lane, all = cols * kinds;
    float s = 0.f;
    if (c < all) {
        UNROLL_8
        for (u32 p = warp; p < pieces; p += 8) s += partial[(u64)p * all + c];
    }
    sums[warp][lane] = s;
    __syncthreads();
    if (warp > 0 || c >= all) return;
    for (int w = 1; w < 8; w++) s += sums[w][lane];
    u32 kind = c / cols;
    float* to = kind == 0 ? to0 : kind == 1 ? to1 : to2;
    if (to) to[c % cols] += s;
}
#endif
