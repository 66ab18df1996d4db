-- Every figure of a hybrid position is a count of subjects, and every assigned user, activation and installed device is one.
with counted as (
  select
    tenant_id,
    product_family,
    count_if(is_assigned) as assigned,
    count_if(is_activated) as activated,
    count_if(subject = 'user' and is_installed) as installed_users
  from {{ ref('hybrid_exceptions') }}
  group by 1, 2
),

holders as (
  select tenant_id, product_family, count(distinct user_id) as assigned
  from {{ ref('int_user_products') }}
  where license_right = 'desktop'
  group by 1, 2
),

devices as (
  select tenant_id, product_family, count(distinct device_key) as installed
  from {{ ref('int_installations') }}
  group by 1, 2
)

select p.*
from {{ ref('hybrid_positions') }} as p
left join counted as c on c.tenant_id = p.tenant_id and c.product_family = p.product_family
left join holders as h on h.tenant_id = p.tenant_id and h.product_family = p.product_family
left join devices as d on d.tenant_id = p.tenant_id and d.product_family = p.product_family
where p.assigned <> coalesce(c.assigned, 0)
  or p.assigned <> coalesce(h.assigned, 0)
  or p.activated <> coalesce(c.activated, 0)
  or p.installed <> coalesce(d.installed, 0)
  or p.installed_users <> coalesce(c.installed_users, 0)
