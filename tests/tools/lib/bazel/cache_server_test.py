from absl.testing import absltest

from reproducible_tflite.lib.bazel import cache_server

_LOG = """\
2026-11-21T20:00:00+00:00 127.0.0.1 - GET /ac/01/01ab 404 153 -
2026-11-21T20:00:01+00:00 127.0.0.1 ci PUT /cas/01ab 201 0 1000
2026-11-21T20:00:01+00:00 127.0.0.1 ci PUT /ac/01ab 204 0 20
2026-11-21T20:00:01+00:00 127.0.0.1 - PUT /cas/02ab 401 179 3000
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /ac/01ab 200 20 -
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /cas/01ab 200 1000 -
2026-11-21T20:00:02+00:00 127.0.0.1 - GET /cas/03ab 200 7 -
"""


class TrafficTest(absltest.TestCase):
    def test_traffic_is_what_was_served_and_what_was_taken(self):
        traffic = cache_server.traffic(_LOG)
        self.assertEqual(traffic.blobs, [("/cas/01ab", 1000), ("/cas/03ab", 7)])
        self.assertEqual((traffic.received, traffic.sent), (1007, 1020))


if __name__ == "__main__":
    absltest.main()
