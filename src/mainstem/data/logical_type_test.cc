#include "mainstem/data/logical_type.h"

#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

namespace mainstem {
namespace {

std::shared_ptr<arrow::Field> Extension(std::shared_ptr<arrow::DataType> storage, const std::string& name,
                                        const std::string& metadata) {
  return arrow::field("c", std::move(storage), true,
                      arrow::key_value_metadata({"ARROW:extension:name", "ARROW:extension:metadata"}, {name, metadata}));
}

// An extension type as another library registers it.
class Registered : public arrow::ExtensionType {
 public:
  Registered(std::shared_ptr<arrow::DataType> storage, std::string name, std::string metadata)
      : ExtensionType(std::move(storage)), name_(std::move(name)), metadata_(std::move(metadata)) {}
  std::string extension_name() const override { return name_; }
  bool ExtensionEquals(const ExtensionType& other) const override { return other.extension_name() == name_; }
  std::shared_ptr<arrow::Array> MakeArray(std::shared_ptr<arrow::ArrayData>) const override { return nullptr; }
  arrow::Result<std::shared_ptr<DataType>> Deserialize(std::shared_ptr<DataType>, const std::string&) const override {
    return arrow::Status::NotImplemented("");
  }
  std::string Serialize() const override { return metadata_; }

 private:
  std::string name_;
  std::string metadata_;
};

TEST(LogicalType, SurvivesTheWayThroughAField) {
  const LogicalType types[] = {LogicalType::Int64(),
                               LogicalType::Image(),
                               LogicalType::Image(ImageMode::kRGB, 224, 225),
                               LogicalType::Tensor(arrow::float32(), {3, 4}),
                               LogicalType::Tensor(arrow::float32(), {}),
                               LogicalType::Vector(arrow::float32(), 384),
                               LogicalType::File(),
                               LogicalType::Audio(),
                               LogicalType::AudioClip(),
                               LogicalType::VideoClip(),
                               LogicalType::List(LogicalType::Image(ImageMode::kL)),
                               LogicalType::Struct({{"a", LogicalType::VideoClip()}, {"b", LogicalType::String()}})};
  for (const LogicalType& type : types) {
    const auto again = LogicalType::FromField(*type.ToField("c"));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(*again == type) << type.ToString() << " became " << again->ToString();
    EXPECT_EQ(again->ToString(), type.ToString());
  }
}

TEST(LogicalType, ClipsOfSoundAndVideoDifferThoughStoredAlike) {
  EXPECT_FALSE(LogicalType::AudioClip() == LogicalType::VideoClip());
}

TEST(LogicalType, ItemOfAListOfImagesIsAnImage) {
  EXPECT_EQ(LogicalType::List(LogicalType::Image()).item().kind(), TypeKind::kImage);
}

TEST(LogicalType, UnwrapsARegisteredExtension) {
  const auto storage = LogicalType::Image().storage();
  const arrow::Field field("c", std::make_shared<Registered>(storage, "mainstem.image", R"({"mode":"RGB"})"));
  const LogicalType type = *LogicalType::FromField(field);
  EXPECT_TRUE(type == LogicalType::Image(ImageMode::kRGB)) << type.ToString();
}

TEST(LogicalType, UnwrapsARegisteredExtensionInsideAList) {
  const auto image = std::make_shared<Registered>(LogicalType::Image().storage(), "mainstem.image", "{}");
  const LogicalType type = *LogicalType::FromField(arrow::Field("c", arrow::list(arrow::field("item", image))));
  EXPECT_TRUE(type == LogicalType::List(LogicalType::Image())) << type.ToString();
}

TEST(LogicalType, TakesAForeignExtensionAsItsStorage) {
  const LogicalType type = *LogicalType::FromField(*Extension(arrow::int32(), "somebody.else", "\xff{"));
  EXPECT_TRUE(type == LogicalType::Int32());
}

TEST(LogicalType, RefusesMetadataThatContradictsTheStorage) {
  const auto floats = [](int32_t size) { return arrow::fixed_size_list(arrow::float32(), size); };
  const std::shared_ptr<arrow::Field> fields[] = {
      Extension(arrow::int32(), "mainstem.image", "{}"),
      Extension(LogicalType::Image().storage(), "mainstem.image", R"({"mode":"CMYK"})"),
      Extension(arrow::int32(), "mainstem.vector", ""),
      Extension(arrow::int32(), "mainstem.tensor", ""),
      Extension(floats(4), "arrow.fixed_shape_tensor", ""),
      Extension(floats(4), "arrow.fixed_shape_tensor", "not json"),
      Extension(floats(4), "arrow.fixed_shape_tensor", R"({"shape":[2,3]})"),
      Extension(floats(4), "arrow.fixed_shape_tensor", R"({"shape":["2","2"]})"),
      Extension(floats(4), "arrow.fixed_shape_tensor", R"({"shape":[-2,-2]})"),
      // 2^32 + 4 numbers: cut to 32 bits they would be 4
      Extension(floats(4), "arrow.fixed_shape_tensor", R"({"shape":[4294967300]})"),
      Extension(floats(0), "arrow.fixed_shape_tensor", R"({"shape":[4294967296, 4294967296]})"),
  };
  for (const auto& field : fields) {
    const auto type = LogicalType::FromField(*field);
    EXPECT_FALSE(type.ok()) << field->ToString(true);
  }
}

TEST(LogicalType, ATensorStoredInAnotherOrderIsTakenAsPlainNumbers) {
  // Arrow's permutation says that the stored order is not the logical one.
  const auto field = Extension(arrow::fixed_size_list(arrow::float32(), 6), "arrow.fixed_shape_tensor",
                               R"({"shape":[2,3],"permutation":[1,0]})");
  EXPECT_EQ(LogicalType::FromField(*field)->kind(), TypeKind::kPlain);
}

}  // namespace
}  // namespace mainstem
