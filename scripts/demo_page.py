"""The demo's page: a simulated cabinet with doors to click, beside the portal's pages for resident, grid worker and administrator."""
import http.server
import json
import pathlib
import threading

PAGE = (pathlib.Path(__file__).resolve().parent / "demo_page.html").read_text()


class DemoPage:
    def __init__(self, stand, portal, totp):
        self.stand, self.portal, self.totp = stand, portal, totp
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body, kind="application/json", status=200):
                body = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind + "; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/":
                    self.answer(outer.page(), "text/html")
                elif self.path == "/state":
                    self.answer(json.dumps(outer.state()))
                else:
                    self.answer("{}", status=404)

            def do_POST(self):
                # Only our own page: another site's script can send no JSON here without asking first.
                if self.headers.get("Content-Type") != "application/json":
                    return self.answer("{}", status=403)
                wish = json.loads(self.rfile.read(min(int(self.headers.get("Content-Length", 0)), 1000)))
                try:
                    self.answer(json.dumps(outer.do(wish)))
                except (RuntimeError, KeyError) as e:
                    self.answer(json.dumps({"error": str(e)}), status=409)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def page(self):
        staff = self.portal.origin.replace("127.0.0.1", "localhost")  # another name: another sign-in than the grid worker's beside it
        return PAGE.replace("{{portal}}", self.portal.origin).replace("{{staff}}", staff).replace("{{cabinet}}", self.stand.cabinet)

    def state(self):
        from portal_kit import PASSWORD
        doors = [{"door": d["door"], "open": d["open"], "content": d.get("content", "")} for d in self.stand.ask_sim(do="status")["doors"]]
        staff = [{"number": n, "password": PASSWORD, "totp": self.totp(secret)} for n, secret in self.portal.staff.items()]
        return {"doors": doors, "staff": staff}

    def do(self, wish):
        door = int(wish["door"])
        if wish["do"] == "put":
            return self.stand.ask_sim(do="put", door=door, content="papers")
        if wish["do"] == "type":
            return self.stand.enter(str(wish["text"]))
        return self.stand.ask_sim(do=wish["do"], door=door) if wish["do"] in ("take", "push") else {}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
