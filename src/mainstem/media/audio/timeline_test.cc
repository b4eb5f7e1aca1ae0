#include "mainstem/media/audio/timeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mainstem/media/audio/encode.h"
#include "mainstem/media/audio/sound_file.h"
#include "mainstem/media/audio/testdata.h"

namespace mainstem::audio {
namespace {

Waveform Constant(int64_t frames, int32_t channels, int32_t rate, float value) {
  Waveform out = Waveform::Allocate(frames, channels, rate).ValueOrDie();
  std::fill_n(out.mutable_data(), frames * channels, value);
  return out;
}

Waveform DecodeOrDie(Bytes bytes) {
  SoundFile file = SoundFile::Open(std::move(bytes)).ValueOrDie();
  return Decode(file).ValueOrDie();
}

TEST(FindSilence, FindsTheStretchBelowTheThreshold) {
  // 100 ms loud, 50 ms quiet, 30 ms loud, 20 ms quiet, at 1 kHz: one frame a millisecond.
  Waveform sound = Constant(200, 1, 1000, 0.5F);
  std::fill_n(sound.mutable_data() + 100, 50, 0.001F);
  std::fill_n(sound.mutable_data() + 180, 20, 0.0F);
  const auto all = FindSilence(sound, -40, 0);
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].start_ms, 100);
  EXPECT_EQ(all[0].end_ms, 150);
  EXPECT_EQ(all[1].start_ms, 180);
  EXPECT_EQ(all[1].end_ms, 200);
  EXPECT_EQ(FindSilence(sound, -40, 21).size(), 1);
  // 0.001 is -60 dB: louder than -61 dB.
  EXPECT_EQ(FindSilence(sound, -61, 0).size(), 1);
}

TEST(FindSilence, CountsFromTheStartOfTheSource) {
  Waveform sound = Constant(25, 2, 1000, 0);
  sound.start_time_ms = 5000;
  const auto spans = FindSilence(sound, -60, 0);
  ASSERT_EQ(spans.size(), 1);
  EXPECT_EQ(spans[0].start_ms, 5000);
  EXPECT_EQ(spans[0].end_ms, 5025);
}

TEST(FindSilence, MixesChannelsFirst) {
  Waveform sound = Constant(100, 2, 1000, 0.5F);
  for (int i = 0; i < 100; ++i) sound.mutable_data()[2 * i + 1] = -0.5F;  // cancels out
  EXPECT_EQ(FindSilence(sound, -60, 0).size(), 1);
}

TEST(FindSilence, OfNothingIsNothing) { EXPECT_TRUE(FindSilence(Constant(0, 1, 8000, 0), 0, 0).empty()); }

TEST(Concat, JoinsAndRefusesOtherRates) {
  const Waveform a = Constant(2, 1, 8000, 0.25F);
  const Waveform b = Constant(1, 1, 8000, -1);
  const Waveform* both[] = {&a, &b};
  const Waveform joined = Concat(both).ValueOrDie();
  ASSERT_EQ(joined.frames, 3);
  EXPECT_EQ(joined.data()[1], 0.25F);
  EXPECT_EQ(joined.data()[2], -1);
  const Waveform other = Constant(1, 1, 8001, 0);
  const Waveform* mixed[] = {&a, &other};
  EXPECT_EQ(ClassOf(Concat(mixed).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Concat(both, 11).status()), ErrorClass::kRow);
}

TEST(Encode, LosslessFormatsGiveTheSamplesBack) {
  // These samples came from 16 bits, so 16 bits hold them exactly.
  const std::vector<float> expected = ReadSamples("stereo48k.f32");
  const Waveform sound = DecodeOrDie(Bytes::Own(ReadTestdata("stereo48k.flac")));
  for (const Encoding encoding : {Encoding::kWav, Encoding::kFlac, Encoding::kAiff}) {
    const auto bytes = Encode(sound, encoding);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const Waveform back = DecodeOrDie(*bytes);
    EXPECT_EQ(back.sample_rate, 48000);
    EXPECT_EQ(std::vector<float>(back.data(), back.data() + back.frames * 2), expected);
  }
}

TEST(Encode, WavIsWhatSoundfileWrites) {
  const Waveform sound = DecodeOrDie(Bytes::Own(ReadTestdata("mono44k.wav")));
  EXPECT_EQ(Encode(sound, Encoding::kWav).ValueOrDie().view(), ReadTestdata("mono44k.wav"));
}

TEST(Encode, VorbisKeepsToneAndLength) {
  Waveform sound = Constant(16000 * 20, 1, 16000, 0);  // long enough to overflow a careless encoder's stack
  for (int64_t i = 0; i < sound.frames; ++i) {
    sound.mutable_data()[i] = static_cast<float>(0.5 * std::sin(2 * M_PI * 440 * static_cast<double>(i) / 16000));
  }
  const Waveform back = DecodeOrDie(Encode(sound, Encoding::kOgg).ValueOrDie());
  ASSERT_EQ(back.frames, sound.frames);
  double error = 0;
  for (int64_t i = 0; i < sound.frames; ++i) error += std::pow(back.data()[i] - sound.data()[i], 2);
  EXPECT_LT(std::sqrt(error / static_cast<double>(sound.frames)), 0.01);
}

TEST(Encode, ClipsWhatIsBeyondFullScale) {
  for (const Encoding encoding : {Encoding::kWav, Encoding::kFlac}) {
    Waveform sound = Constant(100, 1, 8000, 1.5F);
    sound.mutable_data()[1] = -7;
    const Waveform back = DecodeOrDie(Encode(sound, encoding).ValueOrDie());
    EXPECT_NEAR(back.data()[0], 1, 1e-4);
    EXPECT_EQ(back.data()[1], -1);
  }
}

TEST(Encode, RefusesSamplesThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Waveform sound = Constant(10, 2, 8000, 0);
    sound.mutable_data()[15] = bad;
    const auto result = Encode(sound, Encoding::kWav);
    EXPECT_EQ(ClassOf(result.status()), ErrorClass::kRow);
    EXPECT_NE(result.status().message().find("frame 7"), std::string::npos) << result.status();
  }
}

TEST(Encode, RefusesWhatTheFormatCannotHold) {
  EXPECT_EQ(ClassOf(Encode(Constant(10, 9, 8000, 0), Encoding::kFlac).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Encode(Constant(10, 0, 8000, 0), Encoding::kWav).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Encode(Constant(10, 1, 0, 0), Encoding::kOgg).status()), ErrorClass::kRow);
}

TEST(Encode, OfNoFramesCanBeReadAgain) {
  EXPECT_EQ(ClassOf(Encode(Constant(0, 1, 16000, 0), Encoding::kFlac).status()), ErrorClass::kRow);
  for (const Encoding encoding : {Encoding::kWav, Encoding::kOgg, Encoding::kAiff}) {
    const auto bytes = Encode(Constant(0, 1, 16000, 0), encoding);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    auto file = SoundFile::Open(*bytes);
    ASSERT_TRUE(file.ok()) << static_cast<int>(encoding) << " " << file.status();
    const auto back = Decode(*file);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->frames, 0);
  }
}

}  // namespace
}  // namespace mainstem::audio
