// Self-attention on tensor cores in bf16, for heads of SIZE values.
//
// A block has a tile of 64 queries (or keys) of one head: four slots of 16 rows, a warp each. A sequence
// of up to 64 tokens lies in one tile, from a slot's start on, perhaps beside others; a longer one has
// tiles of its own, and the other side passes by in tiles of 64 from the sequence's start. So the order
// in which a row's sums are made depends on its sequence alone.
#define TILE 64
#define ROW (SIZE + 8) // of a tile in shared memory, without bank conflicts
#define STEPS (SIZE / 16)
#define GROUPS (SIZE / 8)
#define LOG2E 1.4426950408889634f

// A slot of a tile: its first token's row, where its sequence starts, how long that is, its first slot in the
// tile where it lies in one, and which it is. Empty slots have no length.
struct Slot {
    u32 row, start, len, first, sequence;
};
struct Tiles {
    const Slot* slots; // four a tile
    const u64* streams;
    int q_heads, kv_heads, longest;
    u32 before, after;
    float scale;
    const float* bias; // [q_heads, 2 * longest - 1], or null
};

// Copies rows to a tile: those of the slots, or where the sequence is long 64 from `from` on.
DEVICE void fetch(u16* to, const u16* x, u64 stride, const Slot* slots, bool own, u32 from) {
    for (int i = threadIdx.x; i < TILE * (SIZE / 8); i += 128) {
        int r = i / (SIZE / 8), c = i % (SIZE / 8) * 8;
        Slot slot = slots[r / 16];
        u32 row = own ? slot.row + r % 16 : slots[0].start + from + r;
        bool there = row < slot.start + slot.len && slot.len > 0;
        if (!own) there = from + r < slots[0].len;
        copy16(shared(to + r * ROW + c), x + (there ? row * stride + c : 0), there);
    }
}
// 16 rows of a tile as left operands.
DEVICE void rows16(u32 (&f)[STEPS][4], const u16* tile, int row) {
    int lane = threadIdx.x % 32;
    UNROLL
    for (int k = 0; k < STEPS; k++)
        load_matrices(f[k], shared(tile + (row + lane % 16) * ROW + k * 16 + lane / 16 * 8));
}
// s = a b^T with up to 64 rows of a tile from row `from` on; `steps` of 16.
DEVICE void products(float (&s)[8][4], const u32 (&a)[STEPS][4], const u16* tile, int from, int steps) {
    int lane = threadIdx.x % 32;
    UNROLL
    for (int n = 0; n < 4; n++) {
        UNROLL
        for (int j = 0; j < 4; j++) s[2 * n][j] = s[2 * n + 1][j] = 0.f;
        if (n < steps) {
            UNROLL
            for (int k = 0; k < STEPS; k++) {
                u32 b[4];
                load_matrices(b, shared(tile + (from + n * 16 + lane / 16 * 8 + lane % 8) * ROW + k * 16 + lane / 8 % 2 * 8));
                multiply(s[2 * n], a[k], b[0], b[1]);
                multiply(s[2 * n + 1], a[k], b[2], b[3]);
            }
        }
    }
}
// o += p b with rows of a tile from `from` on.
DEVICE void weighted(float (&o)[GROUPS][4], const float (&p)[8][4], const u16* tile, int from, int steps) {
    int lane = threadIdx.x % 32;
    UNROLL
    for (int k = 0; k < 4; k++) {
        if (k < steps) {
            u32 a[4] = {pack(p[2 * k][0], p[2 * k][1]), pack(p[2 * k][2], p[2 * k][3]),
                        pack(p[2 * k + 1][0], p[2 * k + 1][1]), pack(p[2 * k + 1][2], p[2 * k + 1][3])};
            UNROLL
            for (int n = 0; n < GROUPS / 2; n++) {
                u32 b[4];
                load_matrices_across(b, shared(tile + (from + k * 16 + lane % 16) * ROW + n * 16 + lane / 16 * 8));
                multiply(o[2 * n], a, b[0], b[1]);
                multiply(o[2 * n + 1], a, b[2], b[3]);
            }
        }
    }
}
DEVICE float quad_sum(float x) {
    x += __shfl_xor_sync(0xffffffffu, x, 1);
    return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
DEVICE float quad_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 2));
}
// Whether query i sees key j; both may be beyond the sequence.
DEVICE bool sees(const Tiles& t, u32 i, u32 j, u32 len) {
    return i < len && j < len && (j >= i ? j - i <= t.after : i - j <= t.before);
}

// What a warp works on.
struct Own {
    Slot slot;
    bool whole;  // its sequence lies in the tile
    bool works;  // the slot is not empty
    u32 i;       // of the first of its rows that this lane has; the other is 8 later
};
DEVICE Own own_slot(const Slot* slots) {
    Own own;
    own.slot = slots[threadIdx.x / 32];
    own.whole = own.slot.len <= TILE;
    own.works = own.slot.len > 0;
    own.i = own.slot.row - own.slot.start + threadIdx.x % 32 / 4;
    return own;
}
// Tiles of the other side, from..to in tokens from the sequence's start, that a long sequence's tile meets.
struct Passing {
    u32 from, to;
};
DEVICE Passing passing(const Slot* slots, u32 before, u32 after) {
    Passing p;
    u32 first = slots[0].row - slots[0].start, len = slots[0].len;
    p.from = 0;
    p.to = len;
    if (len > TILE) {
        p.from = first > before ? (first - before) / TILE * TILE : 0;
        u32 last = min(first + TILE - 1, len - 1);
        if (len - last > after) p.to = last + after + 1;
    } else {
        p.to = TILE; // one round
    }
    return p;
}
DEVICE void read_slots(Slot* to, const Tiles& t) {
    if (threadIdx.x < 4) to[threadIdx.x] = t.slots[blockIdx.x * 4 + threadIdx.x];
    __syncthreads();
}

// lse: of base 2, [tokens, q_heads], or null.
KERNEL __launch_bounds__(128)
attention_forward(const u16* __restrict__ qkv, u16* __restrict__ out, float* __restrict__ lse, Tiles t, Dropout drop) {
    __shared__ __align__(16) u16 tiles[5][TILE * ROW];
    __shared__ Slot slots[4];
    read_slots(slots, t);
    Own own = own_slot(slots);
    int h = blockIdx.y, kv = h * t.kv_heads / t.q_heads, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    u64 stride = (u64)(t.q_heads + 2 * t.kv_heads) * SIZE;
    const u16* q = qkv + h * SIZE;
    const u16* k = qkv + (t.q_heads + kv) * SIZE;
    const u16* v = k + t.kv_heads * SIZE;
    bool whole = slots[0].len <= TILE;
    u32 len = own.slot.len, half = (len + 1) / 2;
    Passing p = passing(slots, t.before, t.after);
    fetch(tiles[0], q, stride, slots, true, 0);
    fetch(tiles[1], k, stride, slots, whole, p.from);
    fetch(tiles[2], v, stride, slots, whole, p.from);
    copies_begun();
    u32 key[2] = {0, 0};
    if (drop.threshold && own.works) {
        u64 stream = t.streams[own.slot.sequence];
        key[0] = row_key(drop, stream, ((u64)h << 32) | own.i);
        key[1] = row_key(drop, stream, ((u64)h << 32) | (own.i + 8));
    }
    const float* bias = t.bias ? t.bias + (u64)h * (2 * t.longest - 1) + t.longest - 1 : 0;
    float o[GROUPS][4] = {}, most[2] = {-1e30f, -1e30f}, sum[2] = {0.f, 0.f};
    u32 a[STEPS][4];
    int at = 0, base = own.whole ? own.slot.first * 16 : 0;
    for (u32 j0 = p.from; j0 < p.to; j0 += TILE, at ^= 1) {
        copies_done<0>();
        __syncthreads();
        if (j0 == p.from && own.works) rows16(a, tiles[0], warp * 16);
        if (j0 + TILE < p.to) {
            fetch(tiles[1 + 2 * (at ^ 1)], k, stride, slots, false, j0 + TILE);
            fetch(tiles[2 + 2 * (at ^ 1)], v, stride, slots, false, j0 + TILE);
            copies_begun();
        }
        if (!own.works) continue;
        int steps = (min(len - j0, (u32)TILE) + 15) / 16;
        float s[8][4];
        products(s, a, tiles[1 + 2 * at], base, steps);
        UNROLL
        for (int n = 0; n < 8; n++)
            UNROLL
            for (int c = 0; c < 4; c++) {
                u32 i = own.i + c / 2 * 8, j = j0 + n * 8 + lane % 4 * 2 + c % 2;
                bool there = sees(t, i, j, len);
                float x = s[n][c] * t.scale;
                if (bias && there) x += bias[(int)j - (int)i];
                s[n][c] = there ? x * LOG2E : -1e30f;
            }
        UNROLL
        for (int r = 0; r < 2; r++) {
            float m = most[r];
            UNROLL
            for (int n = 0; n < 8; n++) m = fmaxf(m, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
            m = quad_max(m);
            float fade = exp2_fast(most[r] - m), total = 0.f;
            most[r] = m;
            UNROLL
            for (int n = 0; n < 8; n++)
                UNROLL
                for (int c = 2 * r; c < 2 * r + 2; c++) {
                    // A row that has seen no key yet has no highest score.
                    float e = s[n][c] > -1e29f ? exp2_fast(s[n][c] - m) : 0.f;
                    total += e;
                    s[n][c] = e;
                }
            sum[r] = sum[r] * fade + total;
            UNROLL
            for (int n = 0; n < GROUPS; n++) {
                o[n][2 * r] *= fade;
                o[n][2 * r + 1] *= fade;
            }
            if (drop.threshold) {
                UNROLL
                for (int n = 0; n < 8; n++)
                    UNROLL
                    for (int c = 2 * r; c < 2 * r + 2; c++)
                        s[n][c] *= mask_of(drop, key[r], j0 + n * 8 + lane % 4 * 2 + c % 2, half);
            }
        }
        weighted(o, s, tiles[2 + 2 * at], base, steps);
    }
    if (!own.works) return;
    UNROLL
    for (int r = 0; r < 2; r++) {
        float total = quad_sum(sum[r]), inverse = 1.f / total;
        u32 i = own.i + 8 * r;
        if (i < len) {
            u64 row = own.slot.start + i;
            u32* to = (u32*)(out + (row * t.q_heads + h) * SIZE) + lane % 4;
            UNROLL
            for (int n = 0; n < GROUPS; n++) to[n * 4] = pack(o[n][2 * r] * inverse, o[n][2 * r + 1] * inverse);
            if (lse && lane % 4 == 0) lse[row * t.q_heads + h] = most[r] + log2f(total);
        }
    }
}

// The gradient of queries, and delta = dO . O for the other kernel.
KERNEL __launch_bounds__(128, 2)
attention_backward_q(const u16* __restrict__ qkv, const u16* __restrict__ out, const u16* __restrict__ dout,
                     const float* __restrict__ lse, float* __restrict__ delta, u16* __restrict__ dqkv, Tiles t, Dropout drop) {
    __shared__ __align__(16) u16 tiles[4][TILE * ROW];
    __shared__ Slot slots[4];
    read_slots(slots, t);
    Own own = own_slot(slots);
    int h = blockIdx.y, kv = h * t.kv_heads / t.q_heads, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    u64 stride = (u64)(t.q_heads + 2 * t.kv_heads) * SIZE, wide = (u64)t.q_heads * SIZE;
    const u16* q = qkv + h * SIZE;
    const u16* k = qkv + (t.q_heads + kv) * SIZE;
    const u16* v = k + t.kv_heads * SIZE;
    bool whole = slots[0].len <= TILE;
    u32 len = own.slot.len, half = (len + 1) / 2;
    Passing p = passing(slots, t.before, t.after);
    fetch(tiles[0], q, stride, slots, true, 0);
    fetch(tiles[1], dout + h * SIZE, wide, slots, true, 0);
    copies_begun();
    u32 key[2] = {0, 0};
    float l[2] = {0.f, 0.f}, along[2] = {0.f, 0.f};
    UNROLL
    for (int r = 0; r < 2; r++) {
        u32 i = own.i + 8 * r;
        float d = 0.f;
        u64 at = ((u64)own.slot.start + i) * t.q_heads + h;
        if (own.works && i < len) {
            const u32* x = (const u32*)(out + at * SIZE) + lane % 4;
            const u32* y = (const u32*)(dout + at * SIZE) + lane % 4;
            UNROLL
            for (int n = 0; n < GROUPS; n++) d += low(x[n * 4]) * low(y[n * 4]) + high(x[n * 4]) * high(y[n * 4]);
        }
        d = quad_sum(d);
        if (own.works && i < len) {
            along[r] = d;
            l[r] = lse[at];
            if (lane % 4 == 0) delta[at] = d;
            if (drop.threshold) key[r] = row_key(drop, t.streams[own.slot.sequence], ((u64)h << 32) | i);
        }
    }
    copies_done<0>();
    __syncthreads();
    u32 a[STEPS][4], b[STEPS][4];
    if (own.works) {
        rows16(a, tiles[0], warp * 16);
        rows16(b, tiles[1], warp * 16);
    }
    const float* bias = t.bias ? t.bias + (u64)h * (2 * t.longest - 1) + t.longest - 1 : 0;
    float dq[GROUPS][4] = {};
    int base = own.whole ? own.slot.first * 16 : 0;
    for (u32 j0 = p.from; j0 < p.to; j0 += TILE) {
        fetch(tiles[2], k, stride, slots, whole, j0);
        fetch(tiles[3], v, stride, slots, whole, j0);
        copies_begun();
        copies_done<0>();
        __syncthreads();
        if (own.works) {
            int steps = (min(len - j0, (u32)TILE) + 15) / 16;
            float s[8][4], dp[8][4];
            products(s, a, tiles[2], base, steps);
            products(dp, b, tiles[3], base, steps);
            UNROLL
            for (int n = 0; n < 8; n++)
                UNROLL
                for (int c = 0; c < 4; c++) {
                    int r = c / 2;
                    u32 i = own.i + r * 8, j = j0 + n * 8 + lane % 4 * 2 + c % 2;
                    bool there = sees(t, i, j, len);
                    float x = s[n][c] * t.scale;
                    if (bias && there) x += bias[(int)j - (int)i];
                    float w = there ? exp2_fast(x * LOG2E - l[r]) : 0.f;
                    float m = drop.threshold ? mask_of(drop, key[r], j, half) : 1.f;
                    s[n][c] = w * (dp[n][c] * m - along[r]) * t.scale;
                }
            weighted(dq, s, tiles[2], base, steps);
        }
        __syncthreads();
    }
    if (!own.works) return;
    UNROLL
    for (int r = 0; r < 2; r++) {
        u32 i = own.i + 8 * r;
        if (i < len) {
            u32* to = (u32*)(dqkv + ((u64)own.slot.start + i) * stride + h * SIZE) + lane % 4;
            UNROLL
            for (int n = 0; n < GROUPS; n++) to[n * 4] = pack(dq[n][2 * r], dq[n][2 * r + 1]);
        }
    }
}

// The gradients of keys and values: rows are keys, columns queries, so that the transposed probabilities and
// slopes go from sums to operands. A block goes through the heads of queries that share its keys.
KERNEL __launch_bounds__(128)
attention_backward_kv(const u16* __restrict__ qkv, const u16* __restrict__ dout, const float* __restrict__ lse,
                      const float* __restrict__ delta, u16* __restrict__ dqkv, Tiles t, Dropout drop) {
    __shared__ __align__(16) u16 tiles[4][TILE * ROW];
    __shared__ Slot slots[4];
    __shared__ float lses[TILE], deltas[TILE];
    __shared__ u32 keys[TILE];
    read_slots(slots, t);
    Own own = own_slot(slots);
    int kv = blockIdx.y, group = t.q_heads / t.kv_heads, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    u64 stride = (u64)(t.q_heads + 2 * t.kv_heads) * SIZE, wide = (u64)t.q_heads * SIZE;
    const u16* k = qkv + (t.q_heads + kv) * SIZE;
    bool whole = slots[0].len <= TILE;
    u32 len = own.slot.len, half = (len + 1) / 2;
    // Seen from a key, `before` and `after` change places.
    Passing p = passing(slots, t.after, t.before);
    fetch(tiles[0], k, stride, slots, true, 0);
    fetch(tiles[1], k + t.kv_heads * SIZE, stride, slots, true, 0);
    copies_begun();
    copies_done<0>();
    __syncthreads();
    u32 a[STEPS][4], b[STEPS][4];
    if (own.works) {
        rows16(a, tiles[0], warp * 16);
        rows16(b, tiles[1], warp * 16);
    }
    float dk[GROUPS][4] = {}, dv[GROUPS][4] = {};
    int base = own.whole ? own.slot.first * 16 : 0;
    for (int h = kv * group; h < (kv + 1) * group; h++) {
        const float* bias = t.bias ? t.bias + (u64)h * (2 * t.longest - 1) + t.longest - 1 : 0;
        for (u32 i0 = p.from; i0 < p.to; i0 += TILE) {
            fetch(tiles[2], qkv + h * SIZE, stride, slots, whole, i0);
            fetch(tiles[3], dout + h * SIZE, wide, slots, whole, i0);
            copies_begun();
            if (threadIdx.x < TILE) {
                int r = threadIdx.x;
                Slot slot = slots[whole ? r / 16 : 0];
                u32 i = whole ? slot.row - slot.start + r % 16 : i0 + r;
                bool there = i < slot.len;
                u64 at = ((u64)slot.start + i) * t.q_heads + h;
                lses[r] = there ? lse[at] : 0.f;
                deltas[r] = there ? delta[at] : 0.f;
                keys[r] = drop.threshold && there ? row_key(drop, t.streams[slot.sequence], ((u64)h << 32) | i) : 0;
            }
            copies_done<0>();
            __syncthreads();
            if (own.works) {
                int steps = (min(len - i0, (u32)TILE) + 15) / 16;
                float s[8][4], dp[8][4];
                products(s, a, tiles[2], base, steps);
                products(dp, b, tiles[3], base, steps);
                UNROLL
                for (int n = 0; n < 8; n++)
                    UNROLL
                    for (int c = 0; c < 4; c++) {
                        u32 column = n * 8 + lane % 4 * 2 + c % 2, i = i0 + column, j = own.i + c / 2 * 8;
                        bool there = sees(t, i, j, len);
                        u32 at = there ? base + column : 0;
                        float x = s[n][c] * t.scale;
                        if (bias && there) x += bias[(int)j - (int)i];
                        float w = there ? exp2_fast(x * LOG2E - lses[at]) : 0.f;
                        float m = drop.threshold ? mask_of(drop, keys[at], j, half) : 1.f;
                        dp[n][c] = w * (dp[n][c] * m - deltas[at]) * t.scale;
                        s[n][c] = w * m;
                    }
                weighted(dv, s, tiles[3], base, steps);
                weighted(dk, dp, tiles[2], base, steps);
            }
            __syncthreads();
        }
    }
    if (!own.works) return;
    UNROLL
    for (int r = 0; r < 2; r++) {
        u32 j = own.i + 8 * r;
        if (j < len) {
            u32* to = (u32*)(dqkv + ((u64)own.slot.start + j) * stride + (t.q_heads + kv) * SIZE) + lane % 4;
            UNROLL
            for (int n = 0; n < GROUPS; n++) {
                to[n * 4] = pack(dk[n][2 * r], dk[n][2 * r + 1]);
                to[n * 4 + t.kv_heads * SIZE / 2] = pack(dv[n][2 * r], dv[n][2 * r + 1]);
            }
        }
    }
}
