-- Grain: one row per user and managed SKU that the protected list keeps: by its user, by its SKU, or by a group that assigns it.
with rules as (
  select
    kind,
    lower(trim(pattern)) as pattern,
    replace(replace(replace(replace(lower(trim(pattern)), '!', '!!'), '_', '!_'), '%', '!%'), '*', '%') as like_pattern
  from {{ ref('protected_rules') }}
),

users as (
  select distinct u.tenant_id, u.user_id
  from {{ ref('int_users') }} as u
  join rules as r on r.kind = 'user' and (u.user_id = r.pattern or u.upn_key like r.like_pattern escape '!')
),

skus as (
  select distinct k.tenant_id, k.sku_id
  from {{ ref('int_skus') }} as k
  join rules as r
    on r.kind = 'sku' and (
      k.sku_id like r.like_pattern escape '!'
      or lower(k.sku_part_number) like r.like_pattern escape '!'
      or 'class:' || k.license_class like r.like_pattern escape '!'
    )
)

select l.tenant_id, l.user_id, l.sku_id
from {{ ref('int_license_use') }} as l
join users as u on u.tenant_id = l.tenant_id and u.user_id = l.user_id
union
select l.tenant_id, l.user_id, l.sku_id
from {{ ref('int_license_use') }} as l
join skus as k on k.tenant_id = l.tenant_id and k.sku_id = l.sku_id
union
select g.tenant_id, g.user_id, g.sku_id
from {{ ref('int_license_groups') }} as g
join rules as r on r.kind = 'group' and ',' || g.assigned_by_groups || ',' like '%,' || r.pattern || ',%'
