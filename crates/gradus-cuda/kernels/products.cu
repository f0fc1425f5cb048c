// Matrix products where NVIDIA's library does not serve: in f32 (HALF 0), and in bf16 with sums in f32 on
// tensor cores (HALF 1), of any shape. A value's sum goes over k in order, whatever the other sizes.
#if HALF
typedef u16 T;
#else
typedef float T;
#endif

// c[m, n] = a b (+ bias) (+ c where `add`): element (i, k) of a at i * a_row + k * a_col, and so on.
struct Product {
    u32 m, n, k;
    u32 a_row, a_col, b_row, b_col, c_row;
    int add, c_half; // c_half: c is bf16, else f32
};
DEVICE void put(void* c, const Product& p, const float* bias, u32 i, u32 j, float x) {
    u64 at = (u64)i * p.c_row + j;
    if (bias) x += bias[j];
    if (p.c_half) {
        u16* to = (u16*)c;
        store(to, at, p.add ? x + load(to, at) : x);
    } else {
        float* to = (float*)c;
        to[at] = p.add ? x + to[at] : x;
    }
}

#if HALF
#define BM 64
#define BN 64
#define BK 32
#define LINE (BK + 8)
// 128 threads: four warps of 16 rows each.
KERNEL __launch_bounds__(128)
product(const T* __restrict__ a, const T* __restrict__ b, const float* __restrict__ bias, void* __restrict__ c, Product p) {
    __shared__ __align__(16) u16 left[BM * LINE], right[BN * LINE];
    u32 m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float d[BN / 8][4] = {};
    for (u32 k0 = 0; k0 < p.k; k0 += BK) {
        // Neighbouring threads take what is next to each other in memory.
        for (int i = threadIdx.x; i < BM * BK; i += 128) {
            u32 r = p.a_col == 1 ? i / BK : i % BM, k = p.a_col == 1 ? i % BK : i / BM;
            bool there = m0 + r < p.m && k0 + k < p.k;
            left[r * LINE + k] = there ? a[(u64)(m0 + r) * p.a_row + (u64)(k0 + k) * p.a_col] : 0;
        }
        for (int i = threadIdx.x; i < BN * BK; i += 128) {
            u32 r = p.b_row == 1 ? i / BK : i % BN, k = p.b_row == 1 ? i % BK : i / BN;
            bool there = n0 + r < p.n && k0 + k < p.k;
            right[r * LINE + k] = there ? b[(u64)(k0 + k) * p.b_row + (u64)(n0 + r) * p.b_col] : 0;
        }
        __syncthreads();
        UNROLL
        for (int k = 0; k < BK; k += 16) {
            u32 x[4];
            load_matrices(x, shared(left + (warp * 16 + lane % 16) * LINE + k + lane / 16 * 8));
            UNROLL
            for (int n = 0; n < BN / 16; n++) {
                u32 y[4];
                load_matrices(y, shared(right + (n * 16 + lane / 16 * 8 + lane % 8) * LINE + k + lane / 8 % 2 * 8));
                multiply(d[2 * n], x, y[0], y[1]);
                multiply(d[2 * n + 1], x, y[2], y[3]);
            }
        }
        __syncthreads();
    }
    UNROLL
    for (int n = 0; n < BN / 8; n++)
        UNROLL
        for (int i = 0; i < 4; i++) {
            u32 row = m0 + warp * 16 + lane / 4 + i / 2 * 8, col = n0 + n * 8 + lane % 4 * 2 + i % 2;
            if (row < p.m && col < p.n) put(c, p, bias, row, col, d[n][i]);
        }
}
#else
#define BM 64
#define BN 64
#define BK 16
// 256 threads: four by four values each.
KERNEL __launch_bounds__(256)
product(const T* __restrict__ a, const T* __restrict__ b, const float* __restrict__ bias, void* __restrict__ c, Product p) {
    __shared__ float left[BK][BM + 4], right[BK][BN + 4];
    u32 m0 = blockIdx.x * BM, n0 = blockIdx.y * BN;
    int ty = threadIdx.x / 16 * 4, tx = threadIdx.x % 16 * 4;
    float d[4][4] = {};
    for (u32 k0 = 0; k0 < p.k; k0 += BK) {
        for (int i = threadIdx.x; i < BM * BK; i += 256) {
            u32 r = p.a_col == 1 ? i / BK : i % BM, k = p.a_col == 1 ? i % BK : i / BM;
            bool there = m0 + r < p.m && k0 + k < p.k;
            left[k][r] = there ? a[(u64)(m0 + r) * p.a_row + (u64)(k0 + k) * p.a_col] : 0.f;
        }
        for (int i = threadIdx.x; i < BN * BK; i += 256) {
            u32 r = p.b_row == 1 ? i / BK : i % BN, k = p.b_row == 1 ? i % BK : i / BN;
            bool there = n0 + r < p.n && k0 + k < p.k;
            right[k][r] = there ? b[(u64)(k0 + k) * p.b_row + (u64)(n0 + r) * p.b_col] : 0.f;
        }
        __syncthreads();
        UNROLL
        for (int k = 0; k < BK; k++)
            UNROLL
            for (int i = 0; i < 4; i++)
                UNROLL
                for (int j = 0; j < 4; j++) d[i][j] = fmaf(left[k][ty + i], right[k][tx + j], d[i][j]);
        __syncthreads();
    }
    UNROLL
    for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < 4; j++)
            if (m0 + ty + i < p.m && n0 + tx + j < p.n) put(c, p, bias, m0 + ty + i, n0 + tx + j, d[i][j]);
}
#endif
