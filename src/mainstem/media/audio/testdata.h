// The sound files of the tests, and what soundfile reads from them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "mainstem/data/bytes.h"

namespace mainstem::audio {

inline std::string TestdataPath(const std::string& name) {
  return (std::filesystem::path(__FILE__).parent_path() / "testdata" / name).string();
}

inline std::string ReadTestdata(const std::string& name) {
  std::ifstream file(TestdataPath(name), std::ios::binary);
  EXPECT_TRUE(file.good()) << name << " is missing";
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline std::vector<float> ReadSamples(const std::string& name) {
  const std::string bytes = ReadTestdata(name);
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

struct ExpectedSound {
  std::string name;
  int sample_rate = 0;
  int channels = 0;
  int64_t frames = 0;
  std::string format;
  std::string codec;
  bool lossy = false;

  std::string SamplesName() const { return name.substr(0, name.rfind('.')) + ".f32"; }
};

inline std::vector<ExpectedSound> ExpectedSounds() {
  std::istringstream lines(ReadTestdata("expected.csv"));
  std::vector<ExpectedSound> out;
  for (std::string line; std::getline(lines, line);) {
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream fields(line);
    ExpectedSound sound;
    fields >> sound.name >> sound.sample_rate >> sound.channels >> sound.frames >> sound.format >> sound.codec;
    sound.lossy = sound.format == "OGG" || sound.format == "MP3";
    out.push_back(sound);
  }
  return out;
}

}  // namespace mainstem::audio
