# Written by tools/cache when the server starts.
daemon off;
pid "{{ root }}/server/nginx.pid";
worker_processes {{ workers }};
{% if user %}
user {{ user }};
{% endif %}
error_log "{{ root }}/log/error.log" warn;

events {
    worker_connections 1024;
}

http {
    # Bytes at the end: what was sent of the body, and what came.
    log_format cache '$time_iso8601 $remote_addr $remote_user $request_method $uri $status $body_bytes_sent $content_length';
    access_log "{{ root }}/log/access.log" cache;

    # An upload is written here and renamed when it is whole, which only one file system can do at once.
    client_body_temp_path "{{ temporary }}";
    proxy_temp_path "{{ root }}/server/proxy";
    fastcgi_temp_path "{{ root }}/server/fastcgi";
    uwsgi_temp_path "{{ root }}/server/uwsgi";
    scgi_temp_path "{{ root }}/server/scgi";

    sendfile on;
    default_type application/octet-stream;
    server_tokens off;
    # Bazel keeps its connections for the whole build.
    keepalive_requests 1000000;
    # A client that hangs must not hold an upload for ever.
    client_body_timeout 60s;
    send_timeout 60s;

    server {
        listen {{ listen }}{% if certificate %} ssl{% endif %};
        {% if certificate %}
        ssl_certificate "{{ certificate }}";
        ssl_certificate_key "{{ key }}";
        ssl_protocols TLSv1.2 TLSv1.3;
        {% endif %}
        # The file system decides what is too large.
        client_max_body_size 0;

        location ~ "^/(ac|cas)/([0-9a-f][0-9a-f])([0-9a-f]{62})$" {
            alias "{{ root }}/$1/$2/$2$3";
            dav_methods PUT;
            create_full_put_path on;
            dav_access user:rw group:r all:r;
            {% if readers == "authenticated" %}
            auth_basic "cache";
            auth_basic_user_file "{{ root }}/server/readers";
            {% endif %}
            {% if writers != "anonymous" %}
            limit_except GET HEAD {
                {% if writers == "authenticated" %}
                auth_basic "cache writer";
                auth_basic_user_file "{{ root }}/server/writers";
                {% else %}
                deny all;
                {% endif %}
            }
            {% endif %}
        }

        location / {
            return 404;
        }
    }
}
