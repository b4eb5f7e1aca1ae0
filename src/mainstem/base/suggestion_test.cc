#include "mainstem/base/suggestion.h"

#include <gtest/gtest.h>

#include <vector>

namespace mainstem {
namespace {

const std::vector<std::string> kNames = {"image.resize", "image.rescale", "audio.decode"};

TEST(Suggestion, NamesTheNearest) {
  EXPECT_EQ(Nearest("image.reszie", kNames), "image.resize");
  EXPECT_EQ(Suggestion("audio.deocde", kNames), " Did you mean 'audio.decode'?");
}

TEST(Suggestion, ListsWhatThereIsWhenNothingIsNear) {
  EXPECT_EQ(Nearest("zzz", kNames), "");
  EXPECT_EQ(Suggestion("zzz", kNames), " There are: image.resize, image.rescale, audio.decode.");
}

}  // namespace
}  // namespace mainstem
