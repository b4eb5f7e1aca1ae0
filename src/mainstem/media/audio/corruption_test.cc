#include <gtest/gtest.h>

#include <random>

#include "mainstem/media/audio/decode.h"
#include "mainstem/media/audio/testdata.h"

namespace mainstem::audio {
namespace {

constexpr int64_t kLimit = int64_t{16} << 20;

// Broken bytes must decode or be a row's error; nothing else, and nothing worse.
void ExpectHarmless(std::string bytes) {
  auto file = SoundFile::Open(Bytes::Own(std::move(bytes)));
  if (!file.ok()) {
    EXPECT_EQ(ClassOf(file.status()), ErrorClass::kRow) << file.status();
    return;
  }
  const auto metadata = ReadMetadata(*file);
  if (!metadata.ok()) EXPECT_EQ(ClassOf(metadata.status()), ErrorClass::kRow) << metadata.status();
  const auto waveform = Decode(*file, kLimit, {.start_ms = 0});
  if (!waveform.ok()) {
    EXPECT_EQ(ClassOf(waveform.status()), ErrorClass::kRow) << waveform.status();
    return;
  }
  EXPECT_LE(waveform->samples->size(), kLimit);
  EXPECT_EQ(waveform->samples->size(), waveform->frames * waveform->channels * 4);
}

class Corruption : public testing::TestWithParam<std::string> {};

TEST_P(Corruption, OfRandomBitsIsHarmless) {
  const std::string whole = ReadTestdata(GetParam());
  std::mt19937 random(20261124);
  for (int round = 0; round < 1500; ++round) {
    std::string bytes = whole;
    // Headers decide most: half of the rounds hit the first 200 bytes only.
    const size_t reach = round % 2 == 0 ? std::min<size_t>(200, bytes.size()) : bytes.size();
    const int flips = 1 + static_cast<int>(random() % 8);
    for (int flip = 0; flip < flips; ++flip) {
      const size_t at = random() % reach;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
    }
    SCOPED_TRACE(round);
    ExpectHarmless(std::move(bytes));
  }
}

TEST_P(Corruption, OfWholeWordsIsHarmless) {
  const std::string whole = ReadTestdata(GetParam());
  std::mt19937 random(4096);
  for (int round = 0; round < 600; ++round) {
    std::string bytes = whole;
    const size_t at = random() % std::min<size_t>(256, bytes.size() - 4);
    const char fill = std::string("\0\x7f\x80\xff", 4)[random() % 4];
    bytes.replace(at, 1 + random() % 4, 4, fill);
    SCOPED_TRACE(round);
    ExpectHarmless(std::move(bytes));
  }
}

TEST_P(Corruption, OfTheEndIsHarmless) {
  const std::string whole = ReadTestdata(GetParam());
  for (size_t length = 0; length < 300; ++length) ExpectHarmless(whole.substr(0, length));
  for (size_t length = 300; length < whole.size(); length += 97) ExpectHarmless(whole.substr(0, length));
}

INSTANTIATE_TEST_SUITE_P(Formats, Corruption,
                         testing::Values("mono44k.wav", "stereo8k24bit.wav", "stereo48k.flac", "mono22k.ogg",
                                         "mono16k.opus", "mono11k.aiff", "mono24k.mp3"),
                         [](const auto& info) { return info.param.substr(0, info.param.find('.')); });

}  // namespace
}  // namespace mainstem::audio
