-- Grain: one row per user of the current snapshot, identity rule and name by which the rule knows the user.
with current_users as (
  select a.*
  from {{ ref('stg_user_accounts') }} as a
  join {{ ref('int_users') }} as u on u.tenant_id = a.tenant_id and u.user_id = a.user_id and u.as_of_date = a.snapshot_date
),

named as (
  select tenant_id, user_id, 'object_id' as rule, user_id as name from current_users
  union
  select tenant_id, user_id, 'user_principal_name', upn_key from current_users
  union
  select tenant_id, user_id, 'mail', mail_key from current_users
  union
  select tenant_id, user_id, 'employee_id', employee_key from current_users
  union
  select tenant_id, user_id, 'dns_account', domain_key || '/' || account_key from current_users
  union
  -- A domain's short name is the first part of its DNS name, unless a mapping says which it is.
  select tenant_id, user_id, 'netbios_account', split_part(domain_key, '.', 1) || '/' || account_key from current_users
  union
  select tenant_id, user_id, 'bare_account', account_key from current_users
  union
  select a.tenant_id, a.user_id, a.kind, a.address
  from {{ ref('stg_user_addresses') }} as a
  join {{ ref('int_users') }} as u on u.tenant_id = a.tenant_id and u.user_id = a.user_id and u.as_of_date = a.snapshot_date
)

select tenant_id, user_id, rule, name
from named
where name <> ''
