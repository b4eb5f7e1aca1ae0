#include "mainstem/connectors/staging/compressed_part.h"

#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/compression.h>

namespace mainstem {
namespace {

// Passes everything on but Close: the part's stream is closed by its writer.
class LeftOpen : public arrow::io::OutputStream {
 public:
  explicit LeftOpen(std::shared_ptr<arrow::io::OutputStream> stream) : stream_(std::move(stream)) {}
  Status Write(const void* data, int64_t size) override { return stream_->Write(data, size); }
  Status Flush() override { return stream_->Flush(); }
  Status Close() override {
    closed_ = true;
    return Status::OK();
  }
  bool closed() const override { return closed_; }
  Result<int64_t> Tell() const override { return stream_->Tell(); }

 private:
  std::shared_ptr<arrow::io::OutputStream> stream_;
  bool closed_ = false;
};

}  // namespace

OptionSpec TextCompressionOption() {
  return {.name = "compression", .default_value = "none", .doc = "Compression of whole files.",
          .choices = {"none", "gzip", "zstd"}};
}

std::string ExtensionOfCompression(const std::string& compression) {
  return compression == "gzip" ? ".gz" : compression == "zstd" ? ".zst" : "";
}

Result<std::shared_ptr<arrow::io::OutputStream>> Compressing(std::shared_ptr<arrow::io::OutputStream> stream,
                                                             const std::string& compression) {
  if (compression == "none") return stream;
  const auto type = compression == "gzip" ? arrow::Compression::GZIP : arrow::Compression::ZSTD;
  ARROW_ASSIGN_OR_RAISE(const auto codec, arrow::util::Codec::Create(type));
  return arrow::io::CompressedOutputStream::Make(codec.get(), std::make_shared<LeftOpen>(std::move(stream)));
}

}  // namespace mainstem
