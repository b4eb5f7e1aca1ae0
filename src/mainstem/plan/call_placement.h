// Call placement: takes calls that leave the process out of expressions and puts call nodes in their place.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// Replaces user functions and models by columns that call nodes append.
class CallPlacement {
 public:
  CallPlacement(const std::map<std::string, UserFunction>& user_functions, const BindContext& context)
      : user_functions_(user_functions), context_(context) {}

  /// Replaces every call inside the expressions by a hidden column and returns the node that provides them.
  Result<LogicalNodePtr> Place(LogicalNodePtr input, std::vector<ExpressionPtr>* expressions);
  /// join_lateral with a user's table function.
  Result<LogicalNodePtr> PlaceTableFunction(LogicalNodePtr input, const Expression& call,
                                            const std::vector<std::string>& names, bool ignore_empty);
  /// map, map_batches, flat_map.
  Result<LogicalNodePtr> PlaceMap(LogicalNodePtr input, const std::string& udf);

 private:
  Result<ExpressionPtr> Rewrite(const ExpressionPtr& expression);
  Result<LogicalNodePtr> PlaceCall(LogicalNodePtr input, const std::vector<ExpressionPtr>& arguments, PlannedCall call);
  Result<PlannedCall> ModelCall(const FunctionDefinition& function, const Expression& expression,
                                std::vector<ExpressionPtr>* arguments);
  Result<PlannedCall> UserCall(const UserFunction& function);
  Result<const UserFunction*> FindUserFunction(const std::string& id) const;

  const std::map<std::string, UserFunction>& user_functions_;
  const BindContext& context_;
  LogicalNodePtr node_;
  std::map<std::string, std::string> placed_;  // identity of a call to its column
};

}  // namespace mainstem::plan
