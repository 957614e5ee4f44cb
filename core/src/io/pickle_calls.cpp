// What the names that a pickle may call stand for.
#include "io/pickle_machine.hpp"
#include "tensor/message.hpp"

namespace gradus::detail {
namespace {

/// Every element of the view lies in its storage. Sizes and strides are as large as a hostile file makes them.
void check_inside(const Pickle::TensorView& view, std::int64_t storage_numel) {
  std::int64_t last = view.offset;
  bool fits = view.offset >= 0, empty = false;
  for (int i = 0; i < view.shape.rank(); ++i) {
    const std::int64_t size = view.shape[i], stride = view.strides[i];
    std::int64_t reach = 0;
    fits = fits && size >= 0 && stride >= 0;
    empty = empty || size == 0;
    if (!fits || empty) continue;
    fits = !__builtin_mul_overflow(size - 1, stride, &reach) && !__builtin_add_overflow(last, reach, &last);
  }
  fits = fits && (empty || last < storage_numel);
  if (!fits) {
    throw FileError(message("a tensor of shape ", view.shape, " with strides ", view.strides, " and offset ",
                            view.offset, " does not fit in its storage of ", storage_numel, " elements"));
  }
}

}  // namespace

Pickle parse_pickle(Bytes file, Budget& budget) { return PickleMachine(file, budget).run(); }

void PickleMachine::call() {
  using Role = Pickle::Global::Role;
  const Id arguments_id = pop(), function = pop();
  const std::vector<Id> arguments = get<Pickle::Tuple>(arguments_id, "arguments of a call").elements;
  switch (get<Pickle::Global>(function, "the name of a function").role) {
    case Role::ordered_dict:
      if (!arguments.empty()) fail("makes an OrderedDict in an unknown way");
      return push(Pickle::Dict());
    case Role::size:
      if (arguments.size() != 1) fail("makes a torch.Size in an unknown way");
      (void)get<Pickle::Tuple>(arguments[0], "the numbers of a torch.Size");
      return stack_.push_back(arguments[0]);
    case Role::rebuild_parameter:  // (tensor, requires_grad, hooks)
      if (arguments.size() != 3) fail("makes a parameter in an unknown way");
      (void)get<Pickle::TensorId>(arguments[0], "the tensor of a parameter");
      return stack_.push_back(arguments[0]);
    case Role::rebuild_tensor:
      return rebuild_tensor(arguments);
    case Role::storage:
      fail("makes a storage outside of a tensor");
  }
}

void PickleMachine::build() {
  // Only the `_metadata` of a state_dict comes this way: versions of modules, which have no meaning here.
  (void)pop();
  const Id target = pop();
  (void)get<Pickle::Dict>(target, "an OrderedDict");
  stack_.push_back(target);
}

void PickleMachine::load_storage() {
  // ("storage", type, key, device, numel); the elements come to the CPU whatever the device was.
  const std::vector<Id> id = get<Pickle::Tuple>(pop(), "the description of a storage").elements;
  if (id.size() != 5 || get<std::string>(id[0], "the word 'storage'") != "storage") {
    fail("describes an unknown kind of data");
  }
  const auto& global = get<Pickle::Global>(id[1], "the type of a storage");
  if (global.role != Pickle::Global::Role::storage) fail("has something else where the type of a storage is expected");
  Pickle::Storage storage{global.stored, get<std::string>(id[2], "the key of a storage"),
                          get<std::int64_t>(id[4], "the size of a storage")};
  if (storage.numel < 0) fail("has a storage of negative size");
  budget_.spend(sizeof storage + storage.key.size());
  pickle_.storages.push_back(std::move(storage));
  push(Pickle::StorageId{static_cast<Id>(pickle_.storages.size() - 1)});
}

void PickleMachine::rebuild_tensor(const std::vector<Id>& arguments) {
  // (storage, offset, shape, strides, requires_grad, hooks), and newer files may add metadata, which means nothing
  // here.
  if (arguments.size() != 6 && arguments.size() != 7) fail("makes a tensor in an unknown way");
  const Id storage = get<Pickle::StorageId>(arguments[0], "the storage of a tensor").id;
  const Pickle::TensorView view{storage, get<std::int64_t>(arguments[1], "the offset of a tensor"),
                                shape_of(arguments[2]), shape_of(arguments[3])};
  if (view.shape.rank() != view.strides.rank()) fail("has a tensor with more sizes than strides, or fewer");
  check_inside(view, pickle_.storages[storage].numel);
  budget_.spend(sizeof view);
  pickle_.tensors.push_back(view);
  push(Pickle::TensorId{static_cast<Id>(pickle_.tensors.size() - 1)});
}

Shape PickleMachine::shape_of(Id tuple) const {
  const auto& elements = get<Pickle::Tuple>(tuple, "the shape of a tensor").elements;
  if (elements.size() > Shape::max_rank) {
    throw FileError(
        message("a tensor has ", elements.size(), " dimensions, gradus supports at most ", Shape::max_rank));
  }
  Shape shape;
  for (const Id element : elements) shape.push_back(get<std::int64_t>(element, "a size or stride of a tensor"));
  return shape;
}

}  // namespace gradus::detail
