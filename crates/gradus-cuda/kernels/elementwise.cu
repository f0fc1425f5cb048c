// One value at a time.
#if HALF
typedef u16 T;
#else
typedef float T;
#endif

DEVICE u64 index() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

#if HALF
KERNEL widen(const u16* __restrict__ x, float* __restrict__ y, u64 n) {
    u64 i = index();
    if (i < n) y[i] = load(x, i);
}
#else
KERNEL narrow(const float* __restrict__ x, u16* __restrict__ y, u64 n) {
    u64 i = 4 * index();
    if (i + 3 < n) {
        u32* to = (u32*)(y + i);
        to[0] = pack(x[i], x[i + 1]);
        to[1] = pack(x[i + 2], x[i + 3]);
        return;
    }
    for (; i < n; i++) store(y, i, x[i]);
}
// average += share (values - average)
KERNEL approach(float* __restrict__ average, const float* __restrict__ values, float share, u64 n) {
    u64 i = index();
    if (i < n) average[i] += share * (values[i] - average[i]);
}
// Similarities become logits, and some of them are left out.
KERNEL logits(float* __restrict__ x, float by, u64 n) {
    u64 i = index();
    if (i < n) x[i] *= by;
}
KERNEL leave_out(float* __restrict__ x, const u32* __restrict__ places, u64 n) {
    u64 i = index();
    if (i < n) x[places[i]] = -INFINITE;
}
// [heads, columns] of a table [buckets, heads]: the value of each column's bucket.
KERNEL pick_bias(const float* __restrict__ table, const u32* __restrict__ buckets, float* __restrict__ bias,
                 int heads, int columns) {
    u64 i = index();
    if (i < (u64)heads * columns) bias[i] = table[(u64)buckets[i % columns] * heads + i / columns];
}
// Its gradient: a thread has a bucket and a head, and goes through the columns in order.
KERNEL pick_bias_backward(const float* __restrict__ dy, const u32* __restrict__ buckets, float* __restrict__ gradient,
                          int count, int heads, int columns) {
    u64 i = index();
    if (i >= (u64)count * heads) return;
    u32 bucket = (u32)(i / heads), head = (u32)(i % heads);
    float sum = 0.f;
    for (int c = 0; c < columns; c++)
        if (buckets[c] == bucket) sum += dy[(u64)head * columns + c];
    gradient[i] += sum;
}
#endif

KERNEL add(T* __restrict__ a, const T* __restrict__ b, u64 n) {
    u64 i = index();
    if (i < n) store(a, i, load(a, i) + load(b, i));
}
KERNEL activation(const T* __restrict__ x, T* __restrict__ y, int kind, u64 n) {
#if HALF
    u64 i = 8 * index();
    if (i + 7 < n) {
        uint4 v = *(const uint4*)(x + i);
        u32* w = (u32*)&v;
        UNROLL
        for (int j = 0; j < 4; j++) w[j] = pack(activate(kind, low(w[j])), activate(kind, high(w[j])));
        *(uint4*)(y + i) = v;
        return;
    }
    for (; i < n; i++) store(y, i, activate(kind, load(x, i)));
#else
    u64 i = index();
    if (i < n) y[i] = activate(kind, x[i]);
#endif
}
// dy *= slope(x)
KERNEL activation_backward(const T* __restrict__ x, T* __restrict__ dy, int kind, u64 n) {
#if HALF
    u64 i = 8 * index();
    if (i + 7 < n) {
        uint4 v = *(const uint4*)(x + i), d = *(const uint4*)(dy + i);
        u32 *w = (u32*)&v, *e = (u32*)&d;
        UNROLL
        for (int j = 0; j < 4; j++)
            e[j] = pack(low(e[j]) * slope(kind, low(w[j])), high(e[j]) * slope(kind, high(w[j])));
        *(uint4*)(dy + i) = d;
        return;
    }
    for (; i < n; i++) store(dy, i, load(dy, i) * slope(kind, load(x, i)));
#else
    u64 i = index();
    if (i < n) dy[i] *= slope(kind, x[i]);
#endif
}
// For backward of a feed-forward part: dy *= slope(x), and x becomes f(x), which it was in forward.
KERNEL activation_again(T* __restrict__ x, T* __restrict__ dy, int kind, u64 n) {
    u64 i = index();
    if (i >= n) return;
    float v = load(x, i);
    store(dy, i, load(dy, i) * slope(kind, v));
    store(x, i, activate(kind, v));
}
#if HALF
// The same, with the sums of dy's columns over pieces of 64 rows. A thread has two columns, of an even number.
KERNEL activation_again_summed(u32* __restrict__ x, u32* __restrict__ dy, int kind, float* __restrict__ partial, u32 cols,
                               u32 n) {
    u32 c = 2 * (blockIdx.y * blockDim.x + threadIdx.x);
    if (c >= cols) return;
    u32 from = blockIdx.x * 64, to = min(from + 64, n);
    float s = 0.f, t = 0.f;
    UNROLL_4
    for (u32 row = from; row < to; row++) {
        u64 at = ((u64)row * cols + c) / 2;
        u32 v = x[at], d = dy[at];
        d = pack(low(d) * slope(kind, low(v)), high(d) * slope(kind, high(v)));
        s += low(d);
        t += high(d);
        dy[at] = d;
        x[at] = pack(activate(kind, low(v)), activate(kind, high(v)));
    }
    partial[(u64)blockIdx.x * cols + c] = s;
    partial[(u64)blockIdx.x * cols + c + 1] = t;
}
#endif
// f(gate) * up of [rows, 2 * inner]; `gate` and `up` are the columns where they begin.
KERNEL gated(const T* __restrict__ pre, T* __restrict__ y, int kind, u32 inner, u32 gate, u32 up, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u64 row = i / inner * 2 * inner;
    u32 c = (u32)(i % inner);
    store(y, i, activate(kind, load(pre, row + gate + c)) * load(pre, row + up + c));
}
// Its gradient, which takes the place of `pre`.
KERNEL gated_backward(T* __restrict__ pre, const T* __restrict__ dy, int kind, u32 inner, u32 gate, u32 up, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u64 row = i / inner * 2 * inner;
    u32 c = (u32)(i % inner);
    float g = load(pre, row + gate + c), u = load(pre, row + up + c), d = load(dy, i);
    store(pre, row + gate + c, d * u * slope(kind, g));
    store(pre, row + up + c, d * activate(kind, g));
}
// Dropout of [rows, cols] in place.
KERNEL drop(T* __restrict__ x, Rows rows, Dropout d, u32 cols, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u64 row = i / cols;
    u32 key = row_key(d, rows.streams[row], rows.places[row]);
    store(x, i, load(x, i) * mask_of(d, key, (u32)(i % cols), (cols + 1) / 2));
}
// Turns value i and i + pairs of every head of queries and keys. `turns`: [positions, pairs] of cosine
// and sine; `sign` is -1 for the way back.
KERNEL rotary(T* __restrict__ qkv, const float2* __restrict__ turns, const u32* __restrict__ positions, float sign,
              u32 cols, u32 heads, u32 pairs, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u32 pair = (u32)(i % pairs), head = (u32)(i / pairs % heads);
    u64 row = i / pairs / heads, at = row * cols + head * 2 * pairs + pair;
    float2 turn = turns[(u64)positions[row] * pairs + pair];
    float s = sign * turn.y, x = load(qkv, at), y = load(qkv, at + pairs);
    store(qkv, at, x * turn.x - y * s);
    store(qkv, at + pairs, x * s + y * turn.x);
}
