#include "mainstem/base/error.h"

#include <gtest/gtest.h>

namespace mainstem {
namespace {

TEST(Error, KeepsItsClassThroughContext) {
  const Status status = WithContext(RowError("not a JPEG"), "image.decode on a.jpg");
  EXPECT_EQ(ClassOf(status), ErrorClass::kRow);
  EXPECT_EQ(status.message(), "image.decode on a.jpg: not a JPEG");
}

TEST(Error, IsTheJobsWhereNoClassWasAttached) {
  EXPECT_EQ(ClassOf(Status::IOError("disk")), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Status::Cancelled("stop")), ErrorClass::kCancelled);
}

TEST(Escaped, LetsTextThroughAndShowsTheRest) {
  EXPECT_EQ(Escaped("naïve – ok"), "naïve – ok");
  EXPECT_EQ(Escaped(std::string_view("a\x1b[31m\0b\xff", 9)), "a\\x1b[31m\\x00b\\xff");
  EXPECT_EQ(Escaped("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(Escaped("\xc0\xaf"), "\\xc0\\xaf");           // overlong encoding
}

TEST(Escaped, CutsLongInput) {
  EXPECT_EQ(Escaped(std::string(300, 'x'), 3), "xxx… (300 bytes)");
}

}  // namespace
}  // namespace mainstem
