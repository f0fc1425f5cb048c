// The norm of whole rows in bf16 for the usual widths: a warp a row, the row in registers. The same
// formulas as norm.cu, each value read once.
#define PAIRS (WIDTH / 64)
#define PIECE 64

// As in norm.cu; no runs.
KERNEL __launch_bounds__(256)
wide_norm_forward(const u32* __restrict__ x, const u32* __restrict__ residual, int kind, float eps,
                  const float* __restrict__ gamma, const float* __restrict__ beta, Rows rows, Dropout drop,
                  u32* __restrict__ out, u32* __restrict__ xhat, float* __restrict__ inverse, u32 n) {
    u32 row = blockIdx.x * 8 + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= n) return;
    u64 base = (u64)row * (WIDTH / 2);
    float v[2 * PAIRS];
    UNROLL
    for (int i = 0; i < PAIRS; i++) {
        u32 two = x[base + lane + 32 * i];
        v[2 * i] = low(two);
        v[2 * i + 1] = high(two);
    }
    if (drop.threshold) {
        u32 key = row_key(drop, rows.streams[row], rows.places[row]);
        UNROLL
        for (int i = 0; i < PAIRS; i++) {
            u32 c = 2 * (lane + 32 * i);
            v[2 * i] *= mask_of(drop, key, c, WIDTH / 2);
            v[2 * i + 1] *= mask_of(drop, key, c + 1, WIDTH / 2);
        }
    }
    if (residual) {
        UNROLL
        for (int i = 0; i < PAIRS; i++) {
            u32 two = residual[base + lane + 32 * i];
            v[2 * i] += low(two);
            v[2 * i + 1] += high(two);
        }
    }
    float mean = 0.f, squares = 0.f;
    if (kind == 0) {
        UNROLL
        for (int i = 0; i < 2 * PAIRS; i++) mean += v[i];
        mean = warp_sum(mean) * (1.f / WIDTH);
    }
    UNROLL
    for (int i = 0; i < 2 * PAIRS; i++) squares += (v[i] - mean) * (v[i] - mean);
    float inv = 1.f / sqrtf(warp_sum(squares) * (1.f / WIDTH) + eps), one = kind == 2 ? 1.f : 0.f;
    if (inverse && lane == 0) inverse[row] = inv;
    UNROLL
    for (int i = 0; i < PAIRS; i++) {
        int p = lane + 32 * i;
        float2 g = ((const float2*)gamma)[p];
        float2 b = beta ? ((const float2*)beta)[p] : make_float2(0.f, 0.f);
        float h0 = (v[2 * i] - mean) * inv, h1 = (v[2 * i + 1] - mean) * inv;
        if (xhat) xhat[base + p] = pack(h0, h1);
        out[base + p] = pack(h0 * (g.x + one) + b.x, h1 * (g.y + one) + b.y);
    }
}

// A block has 64 rows. Sums of gamma, beta and of the columns of dx (dsum without dropout), which are the
// gradient of the bias before, go to partial[piece][3][WIDTH].
KERNEL __launch_bounds__(256)
wide_norm_backward(const u32* __restrict__ dy, const u32* __restrict__ xhat, const float* __restrict__ inverse, int kind,
                   const float* __restrict__ gamma, Rows rows, Dropout drop, u32* __restrict__ dsum,
                   u32* __restrict__ dx, float* __restrict__ partial, u32 n) {
    __shared__ float sums[8][WIDTH];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float dg[2 * PAIRS] = {}, db[2 * PAIRS] = {}, dc[2 * PAIRS] = {}, one = kind == 2 ? 1.f : 0.f;
    for (int r = warp; r < PIECE; r += 8) {
        u32 row = blockIdx.x * PIECE + r;
        if (row >= n) break;
        u64 base = (u64)row * (WIDTH / 2);
        float d[2 * PAIRS], h[2 * PAIRS], s = 0.f, t = 0.f;
        UNROLL
        for (int i = 0; i < PAIRS; i++) {
            u32 a = dy[base + lane + 32 * i], b = xhat[base + lane + 32 * i];
            float2 g = ((const float2*)gamma)[lane + 32 * i];
            h[2 * i] = low(b);
            h[2 * i + 1] = high(b);
            dg[2 * i] += low(a) * h[2 * i];
            dg[2 * i + 1] += high(a) * h[2 * i + 1];
            db[2 * i] += low(a);
            db[2 * i + 1] += high(a);
            d[2 * i] = low(a) * (g.x + one);
            d[2 * i + 1] = high(a) * (g.y + one);
            s += d[2 * i] + d[2 * i + 1];
            t += d[2 * i] * h[2 * i] + d[2 * i + 1] * h[2 * i + 1];
        }
        s = kind == 0 ? warp_sum(s) * (1.f / WIDTH) : 0.f;
        t = warp_sum(t) * (1.f / WIDTH);
        float inv = inverse[row];
        u32 key = drop.threshold ? row_key(drop, rows.streams[row], rows.places[row]) : 0;
        UNROLL
        for (int i = 0; i < PAIRS; i++) {
            u64 at = base + lane + 32 * i;
            float a = (d[2 * i] - s - h[2 * i] * t) * inv, b = (d[2 * i + 1] - s - h[2 * i + 1] * t) * inv;
            dsum[at] = pack(a, b);
            if (drop.threshold) {
                u32 c = 2 * (lane + 32 * i);
                a *= mask_of(drop, key, c, WIDTH / 2);
                b *= mask_of(drop, key, c + 1, WIDTH / 2);
                dx[at] = pack(a, b);
            }
            dc[2 * i] += a;
            dc[2 * i + 1] += b;
        }
    }
    UNROLL
    for (int kind = 0; kind < 3; kind++) {
        __syncthreads();
        UNROLL
        for (int i = 0; i < 2 * PAIRS; i++)
            sums[warp][2 * (lane + 32 * (i / 2)) + i % 2] = kind == 0 ? dg[i] : kind == 1 ? db[i] : dc[i];
        __syncthreads();
        for (int c = threadIdx.x; c < WIDTH; c += 256) {
            float s = 0.f;
            UNROLL
            for (int w = 0; w < 8; w++) s += sums[w][c];
            partial[((u64)blockIdx.x * 3 + kind) * WIDTH + c] = s;
        }
    }
}
