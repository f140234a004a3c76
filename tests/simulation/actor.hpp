// People as coroutines in virtual time: they wait, and they wait for answers.
#pragma once

#include <coroutine>
#include <exception>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "tests/simulation/world.hpp"

namespace sim {

// Started at once; it ends with its last line, or with its world.
struct actor {
    struct promise_type {
        promise_type() { waiting().insert(std::coroutine_handle<promise_type>::from_promise(*this).address()); }
        ~promise_type() { waiting().erase(std::coroutine_handle<promise_type>::from_promise(*this).address()); }
        actor get_return_object() { return {}; }
        std::suspend_never initial_suspend() { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }  // a violation, on its way to whoever runs the world
    };
    static std::set<void*>& waiting() {
        static std::set<void*> all;
        return all;
    }
    // To be called when a world ends.
    static void end_all() {
        while (!waiting().empty()) {
            std::coroutine_handle<>::from_address(*waiting().begin()).destroy();
        }
    }
};

// co_await pause{world, ms}
struct pause {
    world& w;
    std::int64_t ms;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> h) const {
        w.after(ms, [h] { h.resume(); });
    }
    void await_resume() const {}
};

// An answer that comes once, or never: `give` may be called any time after the promise was made.
class answer {
public:
    explicit answer(world& w) : world_(w), shared_(std::make_shared<shared>()) {}
    void give(std::string text) {
        if (shared_->done) {
            return;
        }
        shared_->done = true;
        shared_->text = std::move(text);
        if (shared_->waiting) {
            world_.after(0, [s = shared_] { std::exchange(s->waiting, nullptr).resume(); });
        }
    }
    // Gives `text` when nothing came by then.
    void at_latest(std::int64_t ms, std::string text) {
        world_.after(ms, [*this, text = std::move(text)]() mutable { give(std::move(text)); });
    }
    bool await_ready() const { return shared_->done; }
    void await_suspend(std::coroutine_handle<> h) const { shared_->waiting = h; }
    std::string await_resume() const { return shared_->text; }

private:
    struct shared {
        bool done = false;
        std::string text;
        std::coroutine_handle<> waiting;
    };
    world& world_;
    std::shared_ptr<shared> shared_;
};

}  // namespace sim
