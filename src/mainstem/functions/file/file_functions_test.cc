#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mainstem/functions/builtin.h"
#include "mainstem/functions/file/local_file.h"
#include "mainstem/functions/file/mime_type.h"

namespace mainstem {
namespace {

using Given = std::map<std::string, OptionValue>;

class FileFunctions : public testing::Test {
 protected:
  FileFunctions() {
    EXPECT_TRUE(RegisterFileFunctions(registry_).ok());
    const char* test = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder_ = std::filesystem::temp_directory_path() / (std::string("mainstem_") + test + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  ~FileFunctions() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  Result<Value> Call(const std::string& name, const Value& value, const Given& given = {}) {
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* definition, registry_.Find(name));
    BoundSignature signature{.arguments = {LogicalType::File()}};
    ARROW_ASSIGN_OR_RAISE(signature.options, Options::Check(name, definition->options, given));
    ARROW_ASSIGN_OR_RAISE(const auto kernel, definition->make_row_kernel(signature));
    return kernel->Run({&value, 1});
  }
  std::string Text(const std::string& name, const FileReference& file) {
    const auto value = Call(name, file);
    EXPECT_TRUE(value.ok()) << value.status();
    return value.ok() ? std::string(value->As<Bytes>().view()) : "";
  }

  Registry registry_;
  std::filesystem::path folder_;
};

TEST_F(FileFunctions, BytesReadsWholesAndParts) {
  const std::string path = Write("a.bin", "0123456789");
  EXPECT_EQ(Text("file.bytes", {.uri = path}), "0123456789");
  EXPECT_EQ(Text("file.bytes", {.uri = "file://" + path}), "0123456789");
  EXPECT_EQ(Text("file.bytes", {.uri = path, .offset = 3, .length = 4}), "3456");
  EXPECT_EQ(Text("file.bytes", {.uri = path, .offset = 8, .length = 400}), "89");
  EXPECT_EQ(Text("file.bytes", {.uri = path, .offset = 11}), "");
  EXPECT_EQ(Text("file.bytes", {.uri = "s3://b/k", .data = Bytes::Own("inline")}), "inline");
}

TEST_F(FileFunctions, BytesKeepsItsLimit) {
  const std::string path = Write("a.bin", "0123456789");
  EXPECT_TRUE(Call("file.bytes", FileReference{.uri = path}, {{"max_bytes", 10}}).ok());
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = path}, {{"max_bytes", 9}}).status()), ErrorClass::kRow);
  const FileReference inline_data{.uri = "x", .data = Bytes::Own("0123456789")};
  EXPECT_EQ(ClassOf(Call("file.bytes", inline_data, {{"max_bytes", 9}}).status()), ErrorClass::kRow);
}

TEST_F(FileFunctions, WhatCannotBeOpenedIsTheJobsFault) {
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = folder_ / "missing"}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = folder_}).status()), ErrorClass::kJob);
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = "https://example.com/a"}).status()), ErrorClass::kJob);
  // A named pipe that nobody writes would hang a careless reader.
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = folder_ / "pipe"}).status()), ErrorClass::kJob);
}

TEST_F(FileFunctions, NonsenseAndChangedFilesAreTheRowsFault) {
  const std::string path = Write("a.bin", "0123456789");
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = ""}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = std::string("a\0b", 3)}).status()), ErrorClass::kRow);
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = path, .offset = -1}).status()), ErrorClass::kRow);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  const int64_t modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  EXPECT_EQ(Text("file.bytes", {.uri = path, .version = "10-" + std::to_string(modified_ns)}), "0123456789");
  EXPECT_EQ(ClassOf(Call("file.bytes", FileReference{.uri = path, .version = "10-1"}).status()), ErrorClass::kRow);
}

TEST_F(FileFunctions, SizeAsksTheCheapestSourceFirst) {
  const std::string path = Write("a.bin", "0123456789");
  EXPECT_EQ(Call("file.size", FileReference{.uri = path})->As<int64_t>(), 10);
  EXPECT_EQ(Call("file.size", FileReference{.uri = path, .offset = 4})->As<int64_t>(), 6);
  EXPECT_EQ(Call("file.size", FileReference{.uri = "s3://b/k", .length = 123})->As<int64_t>(), 123);
  EXPECT_EQ(Call("file.size", FileReference{.uri = "s3://b/k", .data = Bytes::Own("four")})->As<int64_t>(), 4);
  EXPECT_TRUE(Call("file.size", FileReference{.uri = "s3://b/k"})->is_null());
}

TEST_F(FileFunctions, MimeTypeTrustsBytesBeforeNames) {
  EXPECT_EQ(Text("file.mime_type", {.uri = Write("a.txt", "\x89PNG\r\n\x1a\n....")}), "image/png");
  EXPECT_EQ(Text("file.mime_type", {.uri = Write("b.csv", "a,b\n")}), "text/csv");
  EXPECT_EQ(Text("file.mime_type", {.uri = Write("c", "")}), "application/octet-stream");
  EXPECT_EQ(Text("file.mime_type", {.uri = "https://example.com/x/photo.JPG?size=9.png#a.gif"}), "image/jpeg");
}

TEST_F(FileFunctions, NamesAndReferences) {
  EXPECT_EQ(Text("file.uri", {.uri = "photos/a.jpg"}), "photos/a.jpg");
  EXPECT_EQ(Text("file.name", {.uri = "photos/a.jpg"}), "a.jpg");
  EXPECT_EQ(Text("file.name", {.uri = "a.jpg"}), "a.jpg");
  EXPECT_EQ(Text("file.name", {.uri = "photos/what?#.jpg"}), "what?#.jpg");
  EXPECT_EQ(Text("file.name", {.uri = "https://example.com/p/a.jpg?x=/y"}), "a.jpg");
  EXPECT_EQ(Text("file.name", {.uri = "https://example.com"}), "");
  EXPECT_EQ(Text("file.name", {.uri = "s3://bucket/key/b#1.png"}), "b#1.png");
  const auto reference = Call("file.reference", Value(std::string("s3://b/k")));
  EXPECT_EQ(reference->As<FileReference>().uri, "s3://b/k");
  EXPECT_EQ(reference->As<FileReference>().length, -1);
}

TEST(MimeType, KnowsTheSignatures) {
  using std::string_literals::operator""s;
  // From the formats' own descriptions.
  EXPECT_EQ(MimeTypeOfBytes("\xff\xd8\xff\xe0\x00\x10JFIF"s), "image/jpeg");
  EXPECT_EQ(MimeTypeOfBytes("RIFF\x24\0\0\0WEBPVP8L"s), "image/webp");
  EXPECT_EQ(MimeTypeOfBytes("RIFF\x24\0\0\0WAVEfmt "s), "audio/wav");
  EXPECT_EQ(MimeTypeOfBytes("RIFF\x24\0\0\0AVI LIST"s), "");
  EXPECT_EQ(MimeTypeOfBytes("GIF89a\1\0\1\0"s), "image/gif");
  EXPECT_EQ(MimeTypeOfBytes("junk\n%PDF-1.7"), "application/pdf");
  EXPECT_EQ(MimeTypeOfBytes("fLaC\0\0\0\x22"s), "audio/flac");
  EXPECT_EQ(MimeTypeOfBytes("OggS\0\2........\x01vorbis"s), "audio/ogg");
  EXPECT_EQ(MimeTypeOfBytes("OggS\0\2........\x80theora"s), "video/ogg");
  EXPECT_EQ(MimeTypeOfBytes("ID3\4\0"s), "audio/mpeg");
  EXPECT_EQ(MimeTypeOfBytes("\xff\xfb\x90\x64"s), "audio/mpeg");
  EXPECT_EQ(MimeTypeOfBytes("\xff\xff\xff\xff"s), "");
  EXPECT_EQ(MimeTypeOfBytes("\0\0\0\x20" "ftypisom"s), "video/mp4");
  EXPECT_EQ(MimeTypeOfBytes("\0\0\0\x14" "ftypqt  "s), "video/quicktime");
  EXPECT_EQ(MimeTypeOfBytes("\0\0\0\x20" "ftypM4A "s), "audio/mp4");
  EXPECT_EQ(MimeTypeOfBytes("\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm"s), "video/webm");
  EXPECT_EQ(MimeTypeOfBytes("\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska"s), "video/x-matroska");
  EXPECT_EQ(MimeTypeOfBytes(""), "");
  EXPECT_EQ(MimeTypeOfBytes("\xff"s), "");
}

}  // namespace
}  // namespace mainstem
