// Rows of scores, and directions of vectors.
#if HALF
typedef u16 T;
#else
typedef float T;
#endif

// A row of scores fares so.
struct Scored {
    double loss;
    u32 correct, unused;
};
// A block has a row: its loss, and the gradient of `scale` times it, which takes the scores' place.
KERNEL cross_entropy(T* __restrict__ scores, const u32* __restrict__ targets, float scale, Scored* __restrict__ scored,
                     u32 classes) {
    __shared__ float parts[8];
    __shared__ double sums[8];
    u64 base = (u64)blockIdx.x * classes;
    u32 target = targets[blockIdx.x];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float own = load(scores, base + target), most = -INFINITE;
    for (u32 c = threadIdx.x; c < classes; c += 256) most = fmaxf(most, load(scores, base + c));
    most = warp_max(most);
    if (lane == 0) parts[warp] = most;
    __syncthreads();
    most = parts[0];
    for (int w = 1; w < 8; w++) most = fmaxf(most, parts[w]);
    double sum = 0;
    for (u32 c = threadIdx.x; c < classes; c += 256) sum += (double)expf(load(scores, base + c) - most);
    sum = warp_sum(sum);
    if (lane == 0) sums[warp] = sum;
    __syncthreads();
    sum = sums[0];
    for (int w = 1; w < 8; w++) sum += sums[w];
    if (threadIdx.x == 0) {
        Scored s;
        s.loss = log(sum) + (double)most - (double)own;
        s.correct = own >= most;
        s.unused = 0;
        scored[blockIdx.x] = s;
    }
    float factor = (float)((double)scale / sum);
    for (u32 c = threadIdx.x; c < classes; c += 256) {
        float g = factor * expf(load(scores, base + c) - most);
        store(scores, base + c, c == target ? g - scale : g);
    }
}

#define SHORTEST 1e-12f
// A warp a row: x / |x|.
KERNEL normalize(const T* __restrict__ x, T* __restrict__ y, u32 width, u32 n) {
    u32 row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (row >= n) return;
    u64 base = (u64)row * width;
    float s = 0.f;
    for (u32 c = lane; c < width; c += 32) s += load(x, base + c) * load(x, base + c);
    float length = fmaxf(sqrtf(warp_sum(s)), SHORTEST);
    for (u32 c = lane; c < width; c += 32) store(y, base + c, load(x, base + c) / length);
}
KERNEL normalize_backward(const T* __restrict__ x, const T* __restrict__ dy, T* __restrict__ dx, u32 width, u32 n) {
    u32 row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (row >= n) return;
    u64 base = (u64)row * width;
    float s = 0.f, d = 0.f;
    for (u32 c = lane; c < width; c += 32) {
        float v = load(x, base + c);
        s += v * v;
        d += v * load(dy, base + c);
    }
    float length = sqrtf(warp_sum(s)), along = warp_sum(d);
    // A vector at the bound is divided by a constant.
    along = length > SHORTEST ? along / length / length : 0.f;
    length = fmaxf(length, SHORTEST);
    for (u32 c = lane; c < width; c += 32)
        store(dx, base + c, (load(dy, base + c) - load(x, base + c) * along) / length);
}
