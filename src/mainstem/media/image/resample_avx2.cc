#include "mainstem/media/image/resample.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <cstring>
#endif

namespace mainstem {

#if defined(__x86_64__)

// A sum of weight · sample is computed as (Σ high · sample) · 2^11 + Σ low · sample: two 16-bit multiply-adds instead
// of a slow 32-bit multiplication, and exactly the same integer.

namespace {

// Spreads four pixels of a 16-byte load, which stands in both halves: samples of one channel become two neighbouring
// pairs of 16 bits, so that one multiply-add weights and sums each pair. Channels 0 and 1 are in the lower half, 2 and
// 3 in the upper.
template <int kChannels>
MAINSTEM_AVX2 inline __m256i PairMask() {
  constexpr char _ = -1;
  if constexpr (kChannels == 2) {
    return _mm256_setr_epi8(0, _, 2, _, 4, _, 6, _, 1, _, 3, _, 5, _, 7, _,  //
                            _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _);
  } else if constexpr (kChannels == 3) {
    return _mm256_setr_epi8(0, _, 3, _, 6, _, 9, _, 1, _, 4, _, 7, _, 10, _,  //
                            2, _, 5, _, 8, _, 11, _, _, _, _, _, _, _, _, _);
  } else {
    return _mm256_setr_epi8(0, _, 4, _, 8, _, 12, _, 1, _, 5, _, 9, _, 13, _,  //
                            2, _, 6, _, 10, _, 14, _, 3, _, 7, _, 11, _, 15, _);
  }
}

MAINSTEM_AVX2 inline __m256i Joined(__m256i high, __m256i low) {
  return _mm256_add_epi32(_mm256_slli_epi32(high, kLowBits), low);
}

MAINSTEM_AVX2 inline __m256i Scaled(__m256i sums) {
  return _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(kHalf)), kWeightBits);
}

// Writes four bytes a row; the next pixel overwrites those that are too many.
template <int kRows>
MAINSTEM_AVX2 inline void StorePixels(const __m256i (&high)[kRows], const __m256i (&low)[kRows], uint8_t* const* out,
                                      int64_t offset) {
  constexpr int kSecond = kRows == kRowsAtOnce ? 1 : 0;
  constexpr int kThird = kRows == kRowsAtOnce ? 2 : 0;
  constexpr int kFourth = kRows == kRowsAtOnce ? 3 : 0;
  const __m256i upper = _mm256_hadd_epi32(Joined(high[0], low[0]), Joined(high[kSecond], low[kSecond]));
  const __m256i lower = _mm256_hadd_epi32(Joined(high[kThird], low[kThird]), Joined(high[kFourth], low[kFourth]));
  const __m256i words = _mm256_packs_epi32(Scaled(upper), Scaled(lower));
  const __m256i bytes = _mm256_packus_epi16(words, words);
  const __m128i pixels = _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  const auto store = [&](int row, int samples) { std::memcpy(out[row] + offset, &samples, 4); };
  store(0, _mm_cvtsi128_si32(pixels));
  if constexpr (kRows == kRowsAtOnce) {
    store(1, _mm_extract_epi32(pixels, 1));
    store(2, _mm_extract_epi32(pixels, 2));
    store(3, _mm_extract_epi32(pixels, 3));
  }
}

template <int kChannels, int kRows>
MAINSTEM_AVX2 void AcrossPixels(const AxisWeights& weights, const uint8_t* const* rows, uint8_t* const* out) {
  const __m256i mask = PairMask<kChannels>();
  for (int32_t x = 0; x < weights.output; ++x) {
    const int16_t* split = &weights.split[int64_t{x} * weights.stride * 2];
    const int64_t start = int64_t{weights.first[x]} * kChannels;
    const int32_t groups = (weights.count[x] + 3) / 4;
    __m256i high[kRows];
    __m256i low[kRows];
    for (int r = 0; r < kRows; ++r) high[r] = low[r] = _mm256_setzero_si256();
    for (int32_t group = 0; group < groups; ++group) {
      int64_t parts[2];
      std::memcpy(parts, split + group * 8, sizeof(parts));
      const __m256i high_weights = _mm256_set1_epi64x(parts[0]);
      const __m256i low_weights = _mm256_set1_epi64x(parts[1]);
      const int64_t offset = start + int64_t{group} * 4 * kChannels;
      for (int r = 0; r < kRows; ++r) {
        const __m128i load = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + offset));
        const __m256i pairs = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load), mask);
        high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pairs, high_weights));
        low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pairs, low_weights));
      }
    }
    StorePixels<kRows>(high, low, out, int64_t{x} * kChannels);
  }
}

template <int kRows>
MAINSTEM_AVX2 void AcrossGrey(const AxisWeights& weights, const uint8_t* const* rows, uint8_t* const* out) {
  for (int32_t x = 0; x < weights.output; ++x) {
    const int16_t* split = &weights.split[int64_t{x} * weights.stride * 2];
    const int32_t groups = (weights.count[x] + 7) / 8;
    __m128i high[kRows];
    __m128i low[kRows];
    for (int r = 0; r < kRows; ++r) high[r] = low[r] = _mm_setzero_si128();
    for (int32_t group = 0; group < groups; ++group) {
      const auto* pair = reinterpret_cast<const __m128i*>(split + group * 16);
      const __m128i a = _mm_loadu_si128(pair);
      const __m128i b = _mm_loadu_si128(pair + 1);
      const __m128i high_weights = _mm_unpacklo_epi64(a, b);
      const __m128i low_weights = _mm_unpackhi_epi64(a, b);
      const int64_t offset = int64_t{weights.first[x]} + int64_t{group} * 8;
      for (int r = 0; r < kRows; ++r) {
        const __m128i samples =
            _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(rows[r] + offset)));
        high[r] = _mm_add_epi32(high[r], _mm_madd_epi16(samples, high_weights));
        low[r] = _mm_add_epi32(low[r], _mm_madd_epi16(samples, low_weights));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      const __m128i halves = _mm_hadd_epi32(high[r], low[r]);      // h01 h23 l01 l23
      const __m128i sums = _mm_hadd_epi32(halves, halves);         // h l h l
      const int32_t sum = (_mm_cvtsi128_si32(sums) << kLowBits) + _mm_extract_epi32(sums, 1) + kHalf;
      out[r][x] = ToByte(sum);
    }
  }
}

template <int kRows>
void Across(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out) {
  switch (channels) {
    case 1: AcrossGrey<kRows>(weights, rows, out); break;
    case 2: AcrossPixels<2, kRows>(weights, rows, out); break;
    case 3: AcrossPixels<3, kRows>(weights, rows, out); break;
    default: AcrossPixels<4, kRows>(weights, rows, out); break;
  }
}

}  // namespace

void ResampleAcrossAvx2(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                        int count) {
  if (count == kRowsAtOnce) return Across<kRowsAtOnce>(weights, channels, rows, out);
  for (int i = 0; i < count; ++i) Across<1>(weights, channels, rows + i, out + i);
}

MAINSTEM_AVX2 void ResampleDownAvx2(const AxisWeights& weights, int32_t position, const uint8_t* const* rows,
                                    size_t row_bytes, uint8_t* out) {
  constexpr size_t kBlock = 16;
  const int16_t* split = &weights.split[int64_t{position} * weights.stride * 2];
  const int32_t pairs = (weights.count[position] + 1) / 2;
  size_t i = 0;
  for (; i + kBlock <= row_bytes; i += kBlock) {
    __m256i high0 = _mm256_setzero_si256();
    __m256i high1 = high0;
    __m256i low0 = high0;
    __m256i low1 = high0;
    for (int32_t pair = 0; pair < pairs; ++pair) {
      int32_t weight_bits[2];
      const int16_t* group = split + pair / 2 * 8 + pair % 2 * 2;
      std::memcpy(&weight_bits[0], group, 4);
      std::memcpy(&weight_bits[1], group + 4, 4);
      const __m256i high_weights = _mm256_set1_epi32(weight_bits[0]);
      const __m256i low_weights = _mm256_set1_epi32(weight_bits[1]);
      const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[pair * 2] + i));
      const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[pair * 2 + 1] + i));
      const __m256i samples0 = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(upper, lower));
      const __m256i samples1 = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(upper, lower));
      high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(samples0, high_weights));
      high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(samples1, high_weights));
      low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(samples0, low_weights));
      low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(samples1, low_weights));
    }
    // Packing works within 128-bit halves; the permutations put the samples back in order.
    const __m256i words = _mm256_permute4x64_epi64(
        _mm256_packs_epi32(Scaled(Joined(high0, low0)), Scaled(Joined(high1, low1))), _MM_SHUFFLE(3, 1, 2, 0));
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), bytes);
  }
  ResampleDownPortable(weights, position, rows, i, row_bytes, out);
}

#else

void ResampleAcrossAvx2(const AxisWeights& weights, int channels, const uint8_t* const* rows, uint8_t* const* out,
                        int count) {
  ResampleAcrossPortable(weights, channels, rows, out, count);
}
void ResampleDownAvx2(const AxisWeights& weights, int32_t position, const uint8_t* const* rows, size_t row_bytes,
                      uint8_t* out) {
  ResampleDownPortable(weights, position, rows, 0, row_bytes, out);
}

#endif

}  // namespace mainstem
