// The pictures under testdata/ and what Pillow, numpy and imagehash say about them (testdata/make_testdata.py).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "mainstem/data/bytes.h"
#include "mainstem/data/image.h"

namespace mainstem::testdata {

inline Bytes Read(const std::string& name) {
  std::ifstream file(std::string(MAINSTEM_IMAGE_TESTDATA) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return Bytes::Own(std::string(std::istreambuf_iterator<char>(file), {}));
}

/// Names of the encoded pictures that are valid.
inline std::vector<std::string> Encoded() {
  std::vector<std::string> names = {"rgb.jpg",  "progressive.jpg", "grey.jpg",      "cmyk.jpg",   "smooth.jpg",
                                    "rgb.png",  "rgba.png",        "grey.png",      "grey16.png", "grey_alpha.png",
                                    "rgb16.png", "bilevel.png",    "palette.png",   "palette_transparent.png",
                                    "colour_key.png", "interlaced.png", "lossy.webp", "lossless.webp", "alpha.webp",
                                    "animated.webp", "orientation_6.jpg", "orientation_6.png", "orientation_6.webp"};
  return names;
}

/// The pixels that the other library gave for `name`.
inline Image Expected(const std::string& name) {
  static const Bytes blocks = Read("expected.bin");
  std::istringstream index{std::string(Read("expected.txt").view())};
  std::string entry, mode;
  int32_t width = 0, height = 0;
  size_t offset = 0;
  while (index >> entry >> width >> height >> mode >> offset) {
    if (entry != name) continue;
    Image image = Image::Allocate(height, width, ParseImageMode(mode).ValueOrDie()).ValueOrDie();
    std::memcpy(image.mutable_data(), blocks.data() + offset, image.size_bytes());
    return image;
  }
  ADD_FAILURE() << "no expectation '" << name << "'";
  return Image::Allocate(1, 1, ImageMode::kL).ValueOrDie();
}

/// All names of expected pixels that start with `prefix`.
inline std::vector<std::string> ExpectedNames(const std::string& prefix) {
  std::istringstream index{std::string(Read("expected.txt").view())};
  std::vector<std::string> names;
  for (std::string line; std::getline(index, line);) {
    if (line.starts_with(prefix)) names.push_back(line.substr(0, line.find(' ')));
  }
  EXPECT_FALSE(names.empty()) << prefix;
  return names;
}

/// The rest of the line of facts.txt that starts with `name`.
inline std::string Fact(const std::string& name) {
  std::istringstream facts{std::string(Read("facts.txt").view())};
  for (std::string line; std::getline(facts, line);) {
    if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
  }
  ADD_FAILURE() << "no fact '" << name << "'";
  return "";
}

inline int Sample(const Image& image, int64_t index) {
  if (BytesPerSample(image.mode) == 1) return image.data()[index];
  return reinterpret_cast<const uint16_t*>(image.data())[index];
}

/// Expects the same size and mode, and samples that differ by at most `tolerance`.
inline void ExpectNear(const Image& actual, const Image& expected, int tolerance, const std::string& what) {
  ASSERT_EQ(actual.width, expected.width) << what;
  ASSERT_EQ(actual.height, expected.height) << what;
  ASSERT_EQ(ToString(actual.mode), ToString(expected.mode)) << what;
  int worst = 0;
  int64_t where = 0;
  for (int64_t i = 0; i < expected.size_bytes() / BytesPerSample(expected.mode); ++i) {
    const int difference = std::abs(Sample(actual, i) - Sample(expected, i));
    if (difference > worst) {
      worst = difference;
      where = i;
    }
  }
  EXPECT_LE(worst, tolerance) << what << ": sample " << where << " is " << Sample(actual, where) << ", not "
                              << Sample(expected, where);
}

}  // namespace mainstem::testdata
