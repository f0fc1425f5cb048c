// Rows by their numbers: embeddings, gathers, pooling, and sums of rows that share a number.
#if HALF
typedef u16 T;
#else
typedef float T;
#endif
DEVICE u64 index() { return (u64)blockIdx.x * blockDim.x + threadIdx.x; }

// The sum of a token's rows in up to three tables in f32.
KERNEL embed(const float* __restrict__ words, const float* __restrict__ positions, const float* __restrict__ segments,
             const u32* __restrict__ ids, const u32* __restrict__ places, const u32* __restrict__ kinds,
             T* __restrict__ out, u32 width, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u64 t = i / width;
    u32 c = (u32)(i % width);
    float s = words[(u64)ids[t] * width + c];
    if (positions) s += positions[(u64)places[t] * width + c];
    if (segments) s += segments[(u64)kinds[t] * width + c];
    store(out, i, s);
}

// Sums of rows that go to the same place, in their order. A piece is some of a place's rows,
// order[first[p]..first[p + 1]], of at most 128.
//
// Where a place has one piece it is added to the place; else its sum goes to partial[p]. Where there are
// flags, a place's is set.
struct Pieces {
    const u32 *order, *first, *place; // place[p]: the row of `to`, or 0xffffffff for partial sums
};
KERNEL sum_rows(const T* __restrict__ x, Pieces pieces, float* __restrict__ to, float* __restrict__ partial,
                u8* __restrict__ flags, u32 width) {
    u32 p = blockIdx.x, c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= width) return;
    float s = 0.f;
    for (u32 i = pieces.first[p]; i < pieces.first[p + 1]; i++) s += load(x, (u64)pieces.order[i] * width + c);
    u32 place = pieces.place[p];
    if (place == 0xffffffffu) {
        partial[(u64)p * width + c] = s;
        return;
    }
    to[(u64)place * width + c] += s;
    if (flags && c == 0) flags[place] = 1;
}
#if !HALF
// Places of several pieces, which are neighbours: pieces from[r]..from[r] + count[r] go to place[r].
KERNEL sum_pieces(const float* __restrict__ partial, const u32* __restrict__ from, const u32* __restrict__ count,
                  const u32* __restrict__ place, float* __restrict__ to, u8* __restrict__ flags, u32 width) {
    u32 r = blockIdx.x, c = blockIdx.y * blockDim.x + threadIdx.x;
    if (c >= width) return;
    float s = 0.f;
    for (u32 p = from[r]; p < from[r] + count[r]; p++) s += partial[(u64)p * width + c];
    to[(u64)place[r] * width + c] += s;
    if (flags && c == 0) flags[place[r]] = 1;
}
#endif

KERNEL gather(const T* __restrict__ x, const u32* __restrict__ rows, T* __restrict__ out, u32 width, u64 n) {
    u64 i = index();
    if (i < n) out[i] = x[(u64)rows[i / width] * width + i % width];
}
// x's rows are overwritten.
KERNEL scatter(T* __restrict__ x, const u32* __restrict__ rows, const T* __restrict__ values, u32 width, u64 n) {
    u64 i = index();
    if (i < n) x[(u64)rows[i / width] * width + i % width] = values[i];
}
// out[i] = x[i] - x[of[i]]
KERNEL subtract(const T* __restrict__ x, const u32* __restrict__ of, T* __restrict__ out, u32 width, u64 n) {
    u64 i = index();
    if (i < n) store(out, i, load(x, i) - load(x, (u64)of[i / width] * width + i % width));
}
// Row r of dx is row r of dy, if it has one and `first`, plus `sign` times those that its list names:
// order[start[r]..start[r + 1]].
KERNEL spread(const T* __restrict__ dy, const u32* __restrict__ order, const u32* __restrict__ start, float sign,
              u32 first, T* __restrict__ dx, u32 width, u64 n) {
    u64 i = index();
    if (i >= n) return;
    u32 r = (u32)(i / width), c = (u32)(i % width);
    float s = r < first ? load(dy, i) : 0.f;
    for (u32 k = start[r]; k < start[r + 1]; k++) s += sign * load(dy, (u64)order[k] * width + c);
    store(dx, i, s);
}

// Pooling of one mode (gradus_kernels::Pooling by number) into columns `first..` of [sequences, cols].
KERNEL pool(const T* __restrict__ x, const u32* __restrict__ offsets, const u32* __restrict__ marks, int mode,
            float* __restrict__ out, u32 width, u32 cols, u32 first, u32 sequences) {
    u64 i = index();
    if (i >= (u64)sequences * width) return;
    u32 s = (u32)(i / width), c = (u32)(i % width), from = offsets[s], len = offsets[s + 1] - from;
    const T* p = x + (u64)from * width + c;
    float y = 0.f;
    if (len > 0) switch (mode) {
        case 0: y = load(p, 0); break;
        case 1:
        case 3:
            for (u32 t = 0; t < len; t++) y += load(p, (u64)t * width);
            y /= mode == 1 ? (float)len : sqrtf((float)len);
            break;
        case 2:
            y = load(p, 0);
            for (u32 t = 1; t < len; t++) y = fmaxf(y, load(p, (u64)t * width));
            break;
        case 4:
            for (u32 t = 0; t < len; t++) y += (float)(t + 1) * load(p, (u64)t * width);
            y /= (float)((u64)len * (len + 1) / 2);
            break;
        case 5: y = load(p, (u64)(len - 1) * width); break;
        case 6: y = load(p, (u64)marks[s] * width); break;
    }
    out[(u64)s * cols + first + c] = y;
}
// Adds to dx, which a first mode overwrites.
KERNEL pool_backward(const T* __restrict__ x, const u32* __restrict__ offsets, const u32* __restrict__ marks, int mode,
                     const float* __restrict__ dy, T* __restrict__ dx, u32 width, u32 cols, u32 first, u32 sequences,
                     int overwrite) {
    u64 i = index();
    if (i >= (u64)sequences * width) return;
    u32 s = (u32)(i / width), c = (u32)(i % width), from = offsets[s], len = offsets[s + 1] - from;
    const T* p = x + (u64)from * width + c;
    T* q = dx + (u64)from * width + c;
    float d = dy[(u64)s * cols + first + c];
    u32 one = mode == 5 ? len - 1 : mode == 6 ? marks[s] : 0;
    if (mode == 2) {
        float best = len ? load(p, 0) : 0.f;
        for (u32 t = 1; t < len; t++) {
            float v = load(p, (u64)t * width);
            if (v > best) { best = v; one = t; }
        }
    }
    float total = (float)((u64)len * (len + 1) / 2);
    for (u32 t = 0; t < len; t++) {
        float w = mode == 1   ? 1.f / len
                  : mode == 3 ? 1.f / sqrtf((float)len)
                  : mode == 4 ? (float)(t + 1) / total
                              : (t == one ? 1.f : 0.f);
        float own = overwrite ? 0.f : load(q, (u64)t * width);
        store(q, (u64)t * width, own + w * d);
    }
}
