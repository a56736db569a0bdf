// Causal attention within documents, bfloat16 on CPUs with tile instructions (AMX); see attention.py, which compiles
// and calls it. Products go through PyTorch's own brgemm, so scores and sums are float32 throughout.
//
// Shapes, all contiguous: q, dq (batch, heads, length, width); k, v (batch, kv_heads, length, width); out, dout (batch,
// length, heads, width), as the projections before and after have them; lse (batch, heads, length) float32; dk, dv
// (batch, heads, length, width) float32, per query head; starts (batch, length): the first key that a query may see. Its
// last one is itself. length is a multiple of 64 (BLOCK), width of 32. Masked weights are exactly zero.

#include <ATen/native/CPUBlas.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

using c10::BFloat16;
using at::native::cpublas::brgemm;

namespace {

constexpr int64_t BLOCK = 64;   // queries at a time
constexpr int64_t KEYS = 512;   // keys at a time in the backward pass: the scratch stays in the second-level cache

// e^x for x <= 0 or a little above, within 2 units of the last place; written so that compilers vectorise it.
inline float exp_of(float x) {
  float t = std::max(x, -87.0f) * 1.44269504f;
  float whole = __builtin_rintf(t);
  float f = t - whole;
  float p = 1.0f + f * (0.693147182f + f * (0.240226462f + f * (0.0555032f + f * (0.00961813f + f * 0.00133336f))));
  int32_t bits;
  std::memcpy(&bits, &p, 4);
  bits += static_cast<int32_t>(whole) << 23;
  std::memcpy(&p, &bits, 4);
  return p;
}

// Nearest bfloat16, ties to even.
inline uint16_t rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline uint16_t* raw(BFloat16* p) { return reinterpret_cast<uint16_t*>(p); }
inline const uint16_t* raw(const BFloat16* p) { return reinterpret_cast<const uint16_t*>(p); }

// Rows of `in` (rows, columns) as the right operand of a product over rows: pairs of rows interleaved.
void interleave(const BFloat16* in, BFloat16* out, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r += 2) {
    const uint16_t* a = raw(in) + r * columns;
    const uint16_t* b = a + columns;
    uint32_t* o = reinterpret_cast<uint32_t*>(raw(out) + r * columns);
    for (int64_t c = 0; c < columns; ++c) o[c] = a[c] | (static_cast<uint32_t>(b[c]) << 16);
  }
}

// `in` (rows, columns) transposed, as the right operand of a product over columns: pairs of columns stay together.
void transpose_pairs(const BFloat16* in, BFloat16* out, int64_t rows, int64_t columns) {
  const uint32_t* from = reinterpret_cast<const uint32_t*>(in);
  uint32_t* to = reinterpret_cast<uint32_t*>(out);
  const int64_t pairs = columns / 2;
  for (int64_t r0 = 0; r0 < rows; r0 += 16)
    for (int64_t p = 0; p < pairs; ++p)
      for (int64_t r = r0; r < r0 + 16; ++r) to[p * rows + r] = from[r * pairs + p];
}

void transpose(const BFloat16* in, BFloat16* out, int64_t rows, int64_t columns) {
  for (int64_t r0 = 0; r0 < rows; r0 += 16)
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t r = r0; r < r0 + 16; ++r) raw(out)[c * rows + r] = raw(in)[r * columns + c];
}

// First key of a block of queries, rounded down so that few product shapes occur.
inline int64_t first_key(const int32_t* starts, int64_t from, int64_t to) {
  return *std::min_element(starts + from, starts + to) / BLOCK * BLOCK;
}

}  // namespace

extern "C" void midspec_attention_forward(
    const BFloat16* q, const BFloat16* k, const BFloat16* v, const int32_t* starts, BFloat16* out, float* lse,
    int64_t batch, int64_t heads, int64_t kv_heads, int64_t length, int64_t width, float scale) {
  const int64_t group = heads / kv_heads, size = length * width;
  at::parallel_for(0, batch * kv_heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<BFloat16> kt(size), vp(size), weights(BLOCK * length);
    std::vector<float> scores(BLOCK * length), sum(BLOCK * width);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t b = task / kv_heads;
      const int32_t* first = starts + b * length;
      transpose_pairs(k + task * size, kt.data(), length, width);
      interleave(v + task * size, vp.data(), length, width);
      for (int64_t head = task * group; head < (task + 1) * group; ++head) {
        for (int64_t from = 0; from < length; from += BLOCK) {
          const int64_t lo = first_key(first, from, from + BLOCK), keys = from + BLOCK - lo;
          brgemm(BLOCK, keys, width, width, length, keys, false, q + head * size + from * width, kt.data() + 2 * lo,
                 scores.data());
          for (int64_t i = 0; i < BLOCK; ++i) {
            float* row = scores.data() + i * keys;
            uint16_t* to = raw(weights.data()) + i * keys;
            const int64_t a = first[from + i] - lo, z = from + i + 1 - lo;
            float highest = row[a];
            for (int64_t j = a; j < z; ++j) highest = row[j] > highest ? row[j] : highest;
            float total = 0.0f;
            for (int64_t j = a; j < z; ++j) total += row[j] = exp_of((row[j] - highest) * scale);
            const float share = 1.0f / total;
            std::fill(to, to + a, 0);
            for (int64_t j = a; j < z; ++j) to[j] = rounded(row[j] * share);
            std::fill(to + z, to + keys, 0);
            lse[head * length + from + i] = highest * scale + __builtin_logf(total);
          }
          brgemm(BLOCK, width, keys, keys, width, width, false, weights.data(), vp.data() + lo * width, sum.data());
          const int64_t step = heads * width;
          uint16_t* to = raw(out) + (b * length + from) * step + head % heads * width;
          for (int64_t i = 0; i < BLOCK; ++i)
            for (int64_t c = 0; c < width; ++c) to[i * step + c] = rounded(sum[i * width + c]);
        }
      }
    }
    at::native::cpublas::brgemm_release();
  });
}

extern "C" void midspec_attention_backward(
    const BFloat16* q, const BFloat16* k, const BFloat16* v, const int32_t* starts, const BFloat16* out,
    const float* lse, const BFloat16* dout, BFloat16* dq, float* dk, float* dv, int64_t batch, int64_t heads,
    int64_t kv_heads, int64_t length, int64_t width, float scale) {
  const int64_t group = heads / kv_heads, size = length * width, most = std::min(KEYS, length);
  at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<BFloat16> qt(size), qp(size), gt(size), gp(size), kt(size), up(size);
    std::vector<BFloat16> weights(most * BLOCK), errors(most * BLOCK), pairs(most * BLOCK);
    std::vector<float> scores(most * BLOCK), upward(most * BLOCK), dqt(width * BLOCK), delta(length);
    for (int64_t head = begin; head < end; ++head) {
      const int64_t b = head / heads, kv = b * kv_heads + head % heads / group;
      const BFloat16 *keys_at = k + kv * size, *values_at = v + kv * size;
      const int32_t* first = starts + b * length;
      const float* normal = lse + head * length;
      float *dk_at = dk + head * size, *dv_at = dv + head * size;
      std::fill(dk_at, dk_at + size, 0.0f);
      std::fill(dv_at, dv_at + size, 0.0f);
      transpose_pairs(q + head * size, qt.data(), length, width);
      interleave(q + head * size, qp.data(), length, width);
      const int64_t step = heads * width, offset = b * length * step + head % heads * width;
      for (int64_t i = 0; i < length; ++i) {
        const BFloat16 *g = dout + offset + i * step, *o = out + offset + i * step;
        float dot = 0.0f;
        for (int64_t c = 0; c < width; ++c) dot += static_cast<float>(g[c]) * static_cast<float>(o[c]);
        delta[i] = dot;
        std::copy(g, g + width, up.data() + i * width);
      }
      transpose_pairs(up.data(), gt.data(), length, width);
      interleave(up.data(), gp.data(), length, width);
      transpose(keys_at, kt.data(), length, width);
      for (int64_t from = 0; from < length; from += BLOCK) {
        const int64_t lo = first_key(first, from, from + BLOCK), hi = from + BLOCK;
        for (int64_t at = lo; at < hi; at += most) {
          const int64_t keys = std::min(most, hi - at);
          // Transposed, (keys, queries): both sums over queries then need no further transposition.
          brgemm(keys, BLOCK, width, width, length, BLOCK, false, keys_at + at * width, qt.data() + 2 * from,
                 scores.data());
          brgemm(keys, BLOCK, width, width, length, BLOCK, false, values_at + at * width, gt.data() + 2 * from,
                 upward.data());
          for (int64_t j = 0; j < keys; ++j) {
            const float *s = scores.data() + j * BLOCK, *u = upward.data() + j * BLOCK;
            uint16_t *w = raw(weights.data()) + j * BLOCK, *e = raw(errors.data()) + j * BLOCK;
            const int32_t key = static_cast<int32_t>(at + j), query = static_cast<int32_t>(from);
            for (int32_t i = 0; i < BLOCK; ++i) {
              const bool seen = (first[from + i] <= key) & (key <= query + i);
              const float p = seen ? exp_of(std::min(s[i] * scale - normal[from + i], 1.0f)) : 0.0f;
              w[i] = rounded(p);
              e[i] = rounded(p * (u[i] - delta[from + i]) * scale);
            }
          }
          interleave(errors.data(), pairs.data(), keys, BLOCK);
          brgemm(keys, width, BLOCK, BLOCK, width, width, true, weights.data(), gp.data() + from * width,
                 dv_at + at * width);
          brgemm(keys, width, BLOCK, BLOCK, width, width, true, errors.data(), qp.data() + from * width,
                 dk_at + at * width);
          brgemm(width, BLOCK, keys, length, BLOCK, BLOCK, at != lo, kt.data() + at, pairs.data(), dqt.data());
        }
        uint16_t* to = raw(dq) + head * size + from * width;
        for (int64_t i = 0; i < BLOCK; ++i)
          for (int64_t c = 0; c < width; ++c) to[i * width + c] = rounded(dqt[c * BLOCK + i]);
      }
    }
    at::native::cpublas::brgemm_release();
  });
}
